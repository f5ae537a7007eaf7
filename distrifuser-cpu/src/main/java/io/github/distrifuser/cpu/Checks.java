package io.github.distrifuser.cpu;

import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;

/** Argument checks whose messages say what was expected and what came. */
final class Checks {
  private Checks() {}

  static void shape(String op, String argument, Shape expected, Tensor actual) {
    if (!actual.shape().equals(expected)) {
      throw new IllegalArgumentException(
          op + ": " + argument + ": expected " + expected + ", found " + actual.shape());
    }
  }

  static void rank(String op, String argument, int expected, Tensor actual) {
    if (actual.shape().rank() != expected) {
      throw new IllegalArgumentException(
          op + ": " + argument + ": expected " + expected + " dimensions, found " + actual.shape());
    }
  }

  static void dtype(String op, DType expected, Tensor... tensors) {
    for (Tensor t : tensors) {
      if (t.dtype() != expected) {
        throw new IllegalArgumentException(op + ": expected " + expected + ", found " + t);
      }
    }
  }

  /** Each batch entry without gaps. */
  static void denseEntries(String op, String argument, Tensor t) {
    if (!t.isDenseFrom(1)) {
      throw new IllegalArgumentException(
          op + ": " + argument + ": expected no gaps within a batch entry, found " + t);
    }
  }

  /** Neighbours along the last dimension side by side. */
  static void denseRows(String op, String argument, Tensor t) {
    if (t.shape().rank() == 0 || !t.isDenseFrom(t.shape().rank() - 1)) {
      throw new IllegalArgumentException(
          op + ": " + argument + ": expected unbroken rows, found " + t);
    }
  }

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
