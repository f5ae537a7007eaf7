package io.github.distrifuser.parallel.tensor;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.nn.Conv2d;
import io.github.distrifuser.nn.ResnetLayer;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The part of a rank that has no group of a residual block's inner channels: its share of the
 * shortcut, or nothing, summed with the others'.
 */
final class EmptyResnet implements ResnetLayer {
  private final Backend backend;
  private final ShardGroup group;
  private final @Nullable Conv2d shortcut;

  EmptyResnet(Backend backend, ShardGroup group, @Nullable Conv2d shortcut) {
    this.backend = backend;
    this.group = group;
    this.shortcut = shortcut;
  }

  @Override
  public Tensor forward(Tensor x, @Nullable Tensor activatedTime) {
    Tensor y;
    if (shortcut == null) {
      y = backend.allocate(x.dtype(), x.shape());
      backend.fill(y, 0);
    } else {
      y = shortcut.forward(x);
    }
    try {
      group.sum(y);
    } catch (RuntimeException e) {
      y.close();
      throw e;
    }
    return y;
  }
}
