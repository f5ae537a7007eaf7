package io.github.distrifuser.nn;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;

/** torch.nn.Linear over the last dimension. */
public final class Linear implements ResidualProjection {
  private final Backend backend;
  private final PreparedWeight weight; // [out, in]

  public Linear(Backend backend, PreparedWeight weight) {
    this.backend = backend;
    this.weight = weight;
  }

  /** {@code activation(x W^T + b)}: {@code [.., in]} to {@code [.., out]}. */
  public Tensor forward(Tensor x, Activation activation) {
    Shape s = x.shape().with(-1, weight.shape().dim(0));
    Tensor y = backend.allocate(x.dtype(), s);
    backend.linear(x, weight, activation, null, y);
    return y;
  }

  @Override
  public void addTo(Tensor x, Tensor target) {
    backend.linear(x, weight, Activation.NONE, target, target);
  }
}
