package io.github.distrifuser.random;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.HalfFloats;
import java.util.List;

/** What generators have in common, and draws for whole batches. */
public final class Draws {
  private Draws() {}

  /**
   * Standard normal numbers for a batch, as diffusers' {@code randn_tensor}: one generator draws
   * the whole array; several draw one image each, in order.
   *
   * @param generators one, or as many as {@code shape} has images
   * @param dtype type in which torch would hold the noise: F32, F16 or BF16
   * @param shape {@code [n, ...]}
   * @throws IllegalArgumentException for any other number of generators
   */
  public static float[] randn(List<? extends Generator> generators, DType dtype, Shape shape) {
    if (generators.size() == 1) {
      return generators.get(0).randn(dtype, shape.toArray());
    }
    if (shape.rank() == 0 || generators.size() != shape.dim(0)) {
      throw new IllegalArgumentException(
          "noise of shape "
              + shape
              + " takes one generator or one for each image, found "
              + generators.size());
    }
    long[] one = shape.with(0, 1).toArray();
    float[] out = new float[Math.toIntExact(shape.elements())];
    int at = 0;
    for (Generator g : generators) {
      float[] part = g.randn(dtype, one);
      System.arraycopy(part, 0, out, at, part.length);
      at += part.length;
    }
    return out;
  }

  /** Number of elements of a shape, as an array's length. */
  static int elements(long[] shape) {
    long n = Shape.of(shape).elements();
    if (n > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException("too many elements for one draw: " + n);
    }
    return (int) n;
  }

  /** Rounds each number to {@code dtype}, in place. */
  static float[] round(DType dtype, float[] values) {
    for (int i = 0; i < values.length; i++) {
      values[i] = round(dtype, values[i]);
    }
    return values;
  }

  /** A number rounded to {@code dtype}. */
  static float round(DType dtype, float value) {
    return switch (dtype) {
      case F32 -> value;
      case F16 -> HalfFloats.f16ToFloat(HalfFloats.floatToF16(value));
      case BF16 -> HalfFloats.bf16ToFloat(HalfFloats.floatToBf16(value));
      default -> throw new IllegalArgumentException("randn draws F32, F16 or BF16, not " + dtype);
    };
  }
}
