package io.github.distrifuser.parallel.patch;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.nn.Conv2d;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The first convolution: every rank holds the whole latent, so that a patch is convolved with its
 * true neighbours and nothing is exchanged.
 */
final class PatchInputConv2d extends Conv2d {
  private final PatchContext context;

  PatchInputConv2d(
      PatchContext context, Backend backend, PreparedWeight weight, Conv2dGeometry geometry) {
    super(backend, weight, geometry);
    this.context = context;
  }

  @Override
  public Tensor forward(Tensor x, @Nullable Tensor channelBias, @Nullable Tensor residual) {
    int start = context.rows().start(context.index(), 0);
    int end = context.rows().start(context.index() + 1, 0);
    int total = context.rows().total(0);
    if (x.size(1) != total) {
      throw new IllegalArgumentException(
          weight().name()
              + ": expected the whole latent of "
              + total
              + " rows, found "
              + x.shape());
    }
    int from = Math.max(0, start - geometry().top());
    int to = Math.min(total, end + geometry().bottom());
    Conv2dGeometry g =
        geometry().withRows(geometry().top() - (start - from), geometry().bottom() - (to - end));
    return convolve(x.slice(1, from, to), g, channelBias, residual);
  }
}
