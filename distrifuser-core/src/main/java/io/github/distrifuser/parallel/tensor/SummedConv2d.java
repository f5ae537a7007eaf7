package io.github.distrifuser.parallel.tensor;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.nn.Conv2d;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * A convolution over this rank's share of the input channels, summed over the ranks. The first
 * rank's part has the bias.
 */
final class SummedConv2d extends Conv2d {
  private final ShardGroup group;
  private final @Nullable Share cut;
  private final boolean partialResidual;

  /**
   * A convolution of {@code [out, share, k, k]}.
   *
   * @param cut the share to cut out of the input, or null where the input is the share
   * @param partialResidual whether residuals are parts as well, to be added by every rank, or the
   *     same whole on all, to be added once
   */
  SummedConv2d(
      Backend backend,
      PreparedWeight weight,
      Conv2dGeometry geometry,
      ShardGroup group,
      @Nullable Share cut,
      boolean partialResidual) {
    super(backend, weight, geometry);
    this.group = group;
    this.cut = cut;
    this.partialResidual = partialResidual;
  }

  @Override
  public Tensor forward(Tensor x, @Nullable Tensor channelBias, @Nullable Tensor residual) {
    Tensor y = part(x, channelBias, residual);
    try {
      group.sum(y);
    } catch (RuntimeException e) {
      y.close();
      throw e;
    }
    return y;
  }

  private Tensor part(Tensor x, @Nullable Tensor channelBias, @Nullable Tensor residual) {
    Tensor bias = group.isFirst() ? channelBias : null;
    Tensor added = group.isFirst() || partialResidual ? residual : null;
    if (cut == null) {
      return convolve(x, geometry(), bias, added);
    }
    try (Tensor own = backend().allocate(x.dtype(), x.shape().with(3, cut.size()))) {
      backend().copy(x.slice(3, cut.from(), cut.to()), own);
      return convolve(own, geometry(), bias, added);
    }
  }
}
