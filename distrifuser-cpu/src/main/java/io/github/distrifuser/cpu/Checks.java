package io.github.distrifuser.cpu;

import io.github.distrifuser.backend.PreparedWeight;

/** Argument checks whose messages say what was expected and what came. */
final class Checks {
  private Checks() {}

  static <T extends NativeWeight> T weight(String op, Class<T> type, PreparedWeight w) {
    if (!type.isInstance(w)) {
      throw new IllegalArgumentException(
          op
              + ": "
              + w.name()
              + " was not prepared for this operator of a oneDNN backend: expected "
              + type.getSimpleName()
              + ", found "
              + w.getClass().getSimpleName());
    }
    return type.cast(w);
  }

  static void state(boolean open) {
    if (!open) {
      throw new IllegalStateException("backend is closed");
    }
  }
}
