package io.github.distrifuser.nn;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** diffusers' ResnetBlock2D with the time embedding added between the convolutions. */
public final class ResnetBlock2D implements ResnetLayer {
  private final GroupNorm norm1;
  private final Conv2d conv1;
  private final @Nullable Linear timeEmbProj;
  private final GroupNorm norm2;
  private final Conv2d conv2;
  private final @Nullable Conv2d convShortcut;
  private final Activation activation;

  public ResnetBlock2D(
      Layers layers,
      String name,
      int in,
      int out,
      int timeWidth,
      int groups,
      float eps,
      Activation activation) {
    this.activation = activation;
    this.norm1 = layers.groupNorm(name + ".norm1", groups, in, eps);
    this.conv1 = layers.conv2d(name + ".conv1", in, out, 3);
    this.timeEmbProj =
        timeWidth == 0 ? null : layers.linear(name + ".time_emb_proj", timeWidth, out, true);
    this.norm2 = layers.groupNorm(name + ".norm2", groups, out, eps);
    this.conv2 = layers.conv2d(name + ".conv2", out, out, 3);
    this.convShortcut = in == out ? null : layers.conv2d(name + ".conv_shortcut", in, out, 1);
  }

  @Override
  public Tensor forward(Tensor x, @Nullable Tensor activatedTime) {
    try (Tensor n = normalised(x, activatedTime)) {
      if (convShortcut == null) {
        return conv2.forward(n, null, x);
      }
      try (Tensor shortcut = convShortcut.forward(x)) {
        return conv2.forward(n, null, shortcut);
      }
    }
  }

  /** The second convolution's input. */
  private Tensor normalised(Tensor x, @Nullable Tensor activatedTime) {
    try (Tensor h = first(x, activatedTime)) {
      Tensor n = conv2.input(h.shape().dim(0), h.shape().dim(1), h.shape().dim(2), h.size(3));
      norm2.forward(h, activation, n);
      return n;
    }
  }

  private Tensor first(Tensor x, @Nullable Tensor activatedTime) {
    try (Tensor n = conv1.input(x.shape().dim(0), x.shape().dim(1), x.shape().dim(2), x.size(3))) {
      norm1.forward(x, activation, n);
      if (timeEmbProj == null || activatedTime == null) {
        return conv1.forward(n);
      }
      try (Tensor t = timeEmbProj.forward(activatedTime, Activation.NONE)) {
        return conv1.forward(n, t, null);
      }
    }
  }
}
