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
    this(
        layers.groupNorm(name + ".norm1", groups, in, eps),
        layers.conv2d(name + ".conv1", in, out, 3),
        timeWidth == 0 ? null : layers.linear(name + ".time_emb_proj", timeWidth, out, true),
        layers.groupNorm(name + ".norm2", groups, out, eps),
        layers.conv2d(name + ".conv2", out, out, 3),
        in == out ? null : layers.conv2d(name + ".conv_shortcut", in, out, 1),
        activation);
  }

  /**
   * A block of these layers.
   *
   * @param timeEmbProj null where the block takes no time embedding
   * @param convShortcut null where the input itself is added
   */
  public ResnetBlock2D(
      GroupNorm norm1,
      Conv2d conv1,
      @Nullable Linear timeEmbProj,
      GroupNorm norm2,
      Conv2d conv2,
      @Nullable Conv2d convShortcut,
      Activation activation) {
    this.norm1 = norm1;
    this.conv1 = conv1;
    this.timeEmbProj = timeEmbProj;
    this.norm2 = norm2;
    this.conv2 = conv2;
    this.convShortcut = convShortcut;
    this.activation = activation;
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
      try {
        norm2.forward(h, activation, n);
      } catch (RuntimeException e) {
        n.close();
        throw e;
      }
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
