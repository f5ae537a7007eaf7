package io.github.distrifuser.parallel.tensor;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.nn.Conv2d;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A 1 x 1 convolution over this rank's share of the input channels; the part is not summed here but
 * with what it is added to.
 */
final class PartialPointwise extends Conv2d {
  private final Share share;

  PartialPointwise(Backend backend, PreparedWeight weight, Share share) {
    super(backend, weight, Conv2dGeometry.of(1, 0));
    this.share = share;
  }

  @Override
  public Tensor forward(Tensor x, @Nullable Tensor channelBias, @Nullable Tensor residual) {
    return super.forward(x.slice(3, share.from(), share.to()), channelBias, residual);
  }
}
