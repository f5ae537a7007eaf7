package io.github.distrifuser.nn;

import io.github.distrifuser.tensor.Tensor;

/**
 * The last product of a transformer's layer, added to the residual stream: the seam at which layers
 * that are divided among ranks sum their parts.
 */
public interface ResidualProjection {

  /**
   * {@code target += x W^T + b}, in place.
   *
   * @param x {@code [.., in]}
   * @param target {@code [.., out]}
   */
  void addTo(Tensor x, Tensor target);
}
