package io.github.distrifuser.nn;

import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** A residual block of convolutions. */
public interface ResnetLayer {

  /**
   * Runs the block.
   *
   * @param x {@code [b, h, w, in]}
   * @param activatedTime {@code activation(time embedding)}, {@code [b, timeWidth]}, or null where
   *     the block takes none
   * @return {@code [b, h, w, out]}
   */
  Tensor forward(Tensor x, @Nullable Tensor activatedTime);
}
