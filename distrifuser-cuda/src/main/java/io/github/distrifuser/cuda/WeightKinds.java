package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.PreparedWeight;

/** The kind of prepared weight that an operator takes. */
final class WeightKinds {
  private WeightKinds() {}

  static <T extends CudaWeight> T of(String operator, Class<T> type, PreparedWeight w) {
    if (!type.isInstance(w)) {
      throw mismatch(operator, w, "a " + type.getSimpleName());
    }
    return type.cast(w);
  }

  static IllegalArgumentException mismatch(String operator, PreparedWeight w, String expected) {
    return new IllegalArgumentException(
        operator
            + ": "
            + w.name()
            + " was not prepared for this operator of a CUDA backend: expected "
            + expected
            + ", found "
            + w.getClass().getSimpleName());
  }
}
