package io.github.distrifuser.backend;

import io.github.distrifuser.tensor.DType;

/**
 * How far a backend may be from the reference: {@code atol + rtol * |expected|}. The suite's
 * results have a standard deviation about 1.
 */
public record Tolerance(double atol, double rtol) {

  /** What arithmetic in a type allows: a few units in the last place of sums of some hundred. */
  public static Tolerance of(DType dtype) {
    return switch (dtype) {
      case F32 -> new Tolerance(1e-5, 1e-5);
      case F16 -> new Tolerance(4e-3, 4e-3);
      case BF16 -> new Tolerance(3e-2, 3e-2);
      default -> throw new IllegalArgumentException("no activations of type " + dtype);
    };
  }

  /** The same, wider. */
  public Tolerance times(double factor) {
    return new Tolerance(atol * factor, rtol * factor);
  }
}
