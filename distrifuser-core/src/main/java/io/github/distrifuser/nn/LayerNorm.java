package io.github.distrifuser.nn;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.Tensor;

/** torch.nn.LayerNorm over the last dimension. */
public final class LayerNorm {
  private final Backend backend;
  private final PreparedWeight affine; // [c] and [c]
  private final float eps;

  public LayerNorm(Backend backend, PreparedWeight affine, float eps) {
    this.backend = backend;
    this.affine = affine;
    this.eps = eps;
  }

  /** {@code [.., c]} to {@code [.., c]}. */
  public Tensor forward(Tensor x) {
    Tensor y = backend.allocate(x.dtype(), x.shape());
    backend.layerNorm(x, affine, eps, y);
    return y;
  }
}
