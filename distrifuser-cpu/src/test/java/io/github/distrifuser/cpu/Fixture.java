package io.github.distrifuser.cpu;

import static org.junit.jupiter.api.Assertions.fail;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.HalfFloats;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/** Seeded tensors and weights, and comparison. */
final class Fixture {
  private final Random random = new Random(7);

  float[] floats(int n, float deviation) {
    float[] f = new float[n];
    for (int i = 0; i < n; i++) {
      f[i] = (float) random.nextGaussian() * deviation;
    }
    return f;
  }

  /** A dense tensor with these values. */
  static Tensor dense(Backend b, float[] values, long... dims) {
    Tensor t = b.allocate(dims);
    b.write(values, 0, t);
    return t;
  }

  /** The same values with a gap after each batch entry, filled with NaN. */
  static Tensor gapped(Backend b, float[] values, long... dims) {
    Shape s = Shape.of(dims);
    Tensor wide = b.allocate(b.dtype(), s.with(1, s.dim(1) + 2));
    b.fill(wide, Float.NaN);
    Tensor t = wide.slice(1, 1, 1 + s.dim(1));
    b.write(values, 0, t);
    return t;
  }

  /** The same values as a column slice of a wider tensor, filled with NaN. */
  static Tensor columns(Backend b, float[] values, long... dims) {
    Shape s = Shape.of(dims);
    Tensor wide = b.allocate(b.dtype(), s.with(-1, s.dim(-1) * 2 + 3));
    b.fill(wide, Float.NaN);
    Tensor t = wide.slice(-1, 2, 2 + s.dim(-1));
    b.write(values, 0, t);
    return t;
  }

  WeightTensor weight(DType dtype, float deviation, long... dims) {
    Shape s = Shape.of(dims);
    return weight(dtype, floats((int) s.elements(), deviation), dims);
  }

  static WeightTensor weight(DType dtype, float[] values, long... dims) {
    ByteBuffer b =
        ByteBuffer.allocateDirect(values.length * dtype.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    for (float f : values) {
      switch (dtype) {
        case F32 -> b.putFloat(f);
        case F16 -> b.putShort(HalfFloats.floatToF16(f));
        case BF16 -> b.putShort(HalfFloats.floatToBf16(f));
        default -> throw new IllegalArgumentException("not a weight's type: " + dtype);
      }
    }
    return new WeightTensor("test.weight", "test", dtype, Shape.of(dims), b.flip());
  }

  /** Fails with the worst element. */
  static void assertClose(String what, float[] expected, float[] actual, double atol, double rtol) {
    if (expected.length != actual.length) {
      fail(what + ": expected " + expected.length + " elements, found " + actual.length);
    }
    int worst = -1;
    double excess = 0;
    for (int i = 0; i < expected.length; i++) {
      double e = Math.abs(expected[i] - actual[i]) - atol - rtol * Math.abs(expected[i]);
      if (Double.isNaN(e) || e > excess) {
        worst = i;
        excess = Double.isNaN(e) ? Double.MAX_VALUE : e;
      }
    }
    if (worst >= 0) {
      fail(
          what
              + ": element "
              + worst
              + ": expected "
              + expected[worst]
              + ", found "
              + actual[worst]);
    }
  }
}
