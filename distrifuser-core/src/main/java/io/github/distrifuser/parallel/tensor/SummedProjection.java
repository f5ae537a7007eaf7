package io.github.distrifuser.parallel.tensor;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.nn.ResidualProjection;
import io.github.distrifuser.tensor.Tensor;

/**
 * A linear layer over this rank's share of the inputs. The parts are summed in the target itself:
 * the first rank's has the bias and the residual, the others' replace what stood there.
 */
final class SummedProjection implements ResidualProjection {
  private final Backend backend;
  private final ShardGroup group;
  private final PreparedWeight weight; // [out, share]

  SummedProjection(Backend backend, ShardGroup group, PreparedWeight weight) {
    this.backend = backend;
    this.group = group;
    this.weight = weight;
  }

  @Override
  public void addTo(Tensor x, Tensor target) {
    backend.linear(x, weight, Activation.NONE, group.isFirst() ? target : null, target);
    group.sum(target);
  }
}
