package io.github.distrifuser.parallel.tensor;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.nn.AttentionLayer;
import io.github.distrifuser.nn.TextContext;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** The part of a rank that has no heads: nothing, summed with the others'. */
final class EmptyAttention implements AttentionLayer {
  private final Backend backend;
  private final ShardGroup group;

  EmptyAttention(Backend backend, ShardGroup group) {
    this.backend = backend;
    this.group = group;
  }

  @Override
  public void forward(Tensor x, @Nullable TextContext context, Tensor residual) {
    backend.fill(residual, 0);
    group.sum(residual);
  }
}
