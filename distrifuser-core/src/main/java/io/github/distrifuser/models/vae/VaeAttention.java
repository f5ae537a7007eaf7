package io.github.distrifuser.models.vae;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.nn.GroupNorm;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.SelfAttention;
import io.github.distrifuser.tensor.Tensor;

/** The single-headed attention of the VAE's middle block, with its norm and residual. */
final class VaeAttention {
  private final Backend backend;
  private final GroupNorm norm;
  private final SelfAttention attention;

  VaeAttention(Layers layers, String name, int channels, int groups, float eps) {
    this.backend = layers.backend();
    this.norm = layers.groupNorm(name + ".group_norm", groups, channels, eps);
    this.attention = new SelfAttention(layers, name, channels, 1, true);
  }

  /** Adds the attention's output to {@code x [b, h, w, c]}, in place. */
  void forward(Tensor x) {
    long b = x.shape().dim(0);
    long l = x.shape().dim(1) * x.shape().dim(2);
    try (Tensor n = backend.allocate(x.dtype(), x.shape())) {
      norm.forward(x, Activation.NONE, n);
      attention.forward(n.reshape(b, l, x.size(3)), null, x.reshape(b, l, x.size(3)));
    }
  }
}
