package io.github.distrifuser.cuda.kernels;

import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.backend.Tolerance;
import io.github.distrifuser.backend.reference.ReferenceBackend;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.tensor.TensorAssertions;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/** The backend that kernels are held to, and numbers for both. */
final class Reference {
  static final DType[] TYPES = {DType.F32, DType.F16, DType.BF16};

  final ReferenceBackend backend = new ReferenceBackend(BackendOptions.defaults());
  private final Random random = new Random(20240701);

  /** Normally distributed numbers that the type holds exactly. */
  float[] randoms(DType dtype, int n) {
    return randoms(dtype, n, 1, 0);
  }

  float[] randoms(DType dtype, int n, double deviation, double mean) {
    float[] f = new float[n];
    for (int i = 0; i < n; i++) {
      f[i] = (float) (random.nextGaussian() * deviation + mean);
    }
    return Memory.of(dtype, f).rounded();
  }

  Tensor tensor(float[] values, long... dims) {
    Tensor t = backend.allocate(dims);
    backend.write(values, 0, t);
    return t;
  }

  PreparedWeight norm(float[] weight, float[] bias) {
    return backend.prepareNorm("n", weight("n.weight", weight), weight("n.bias", bias));
  }

  static WeightTensor weight(String name, float[] values, long... dims) {
    ByteBuffer data = ByteBuffer.allocateDirect(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (float f : values) {
      data.putFloat(f);
    }
    Shape shape = dims.length == 0 ? Shape.of(values.length) : Shape.of(dims);
    return new WeightTensor(name, "test.safetensors", DType.F32, shape, data.flip());
  }

  /** Compares within what arithmetic in fp32 and one rounding to the type allow. */
  static void close(DType dtype, float[] expected, float[] actual, Object what) {
    Tolerance t = tolerance(dtype);
    TensorAssertions.assertAllClose(expected, actual, t.atol(), t.rtol(), what);
  }

  private static Tolerance tolerance(DType dtype) {
    return switch (dtype) {
      case F32 -> new Tolerance(1e-5, 1e-5);
      case F16 -> new Tolerance(2e-5, 0x1.1p-11);
      default -> new Tolerance(2e-5, 0x1.1p-8);
    };
  }
}
