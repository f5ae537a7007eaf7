package io.github.distrifuser.weights;

import io.github.distrifuser.tensor.Shape;

/** Makes weights that no file holds, for measuring with models that need not be downloaded. */
@FunctionalInterface
public interface WeightGenerator {

  /**
   * Makes one tensor; the same for the same arguments.
   *
   * @param source what messages call the weights
   * @param name full state-dict key
   */
  WeightTensor make(String source, String name, Shape shape);
}
