package io.github.distrifuser.cuda;

import static io.github.distrifuser.tensor.TensorAssertions.assertAllClose;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.backend.Tolerance;
import io.github.distrifuser.cuda.standin.Standin;
import io.github.distrifuser.cuda.standin.StandinExtension;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What cuDNN has no engine for is computed otherwise, to the same numbers. */
@Tag("cuda-standin")
@ExtendWith(StandinExtension.class)
class CudaFallbacksTest {
  private final Random random = new Random(5);

  private float[] randoms(long n) {
    float[] f = new float[(int) n];
    for (int i = 0; i < f.length; i++) {
      f[i] = (float) random.nextGaussian() / 4;
    }
    return f;
  }

  private static Tensor tensor(Backend b, float[] values, long... dims) {
    Tensor t = b.allocate(dims);
    b.write(values, 0, t);
    return t;
  }

  private static WeightTensor weight(float[] values, long... dims) {
    ByteBuffer data = ByteBuffer.allocateDirect(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    data.asFloatBuffer().put(values);
    return new WeightTensor("w", "f", DType.F32, Shape.of(dims), data);
  }

  /** A convolution with all that can be added, under what cuDNN refuses. */
  private float[] convolution(DType dtype, int refused, boolean inPlace, long expectedCalls) {
    random.setSeed(7);
    Standin.refuse(refused);
    long before = Standin.count(0);
    try (Backend b = new CudaBackendProvider().create(new BackendOptions(dtype, 0, 0));
        PreparedWeight w =
            b.prepareConv2d(
                "w", weight(randoms(16 * 8 * 9), 16, 8, 3, 3), weight(randoms(16), 16));
        Tensor x = tensor(b, randoms(2 * 6 * 5 * 8), 2, 6, 5, 8);
        Tensor channels = tensor(b, randoms(32), 2, 16);
        Tensor residual = tensor(b, randoms(2 * 6 * 5 * 16), 2, 6, 5, 16);
        Tensor out = b.allocate(2, 6, 5, 16)) {
      Tensor to = inPlace ? residual : out;
      b.conv2d(x, w, Conv2dGeometry.of(1, 1), channels, residual, to);
      float[] result = b.toFloats(to);
      assertEquals(expectedCalls, Standin.count(0) - before, "convolutions of cuDNN");
      return result;
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16", "BF16"})
  void convolutionsAreTheSameHoweverMuchIsFused(DType dtype) {
    Tolerance t = Tolerance.of(dtype);
    float[] fused = convolution(dtype, 0, false, 1);
    int[] refusals = {
      Standin.RESIDUAL, Standin.CHANNEL_BIAS, Standin.BIAS, Standin.BIAS | Standin.RESIDUAL
    };
    for (int refused : refusals) {
      float[] parts = convolution(dtype, refused, false, 1);
      assertAllClose(fused, parts, t.atol(), t.rtol(), "refused " + refused);
    }
    float[] product = convolution(dtype, Standin.CONVOLUTION, false, 0);
    assertAllClose(fused, product, t.atol(), t.rtol(), "product of patches");
    for (int refused : new int[] {0, Standin.BIAS, Standin.CONVOLUTION}) {
      float[] inPlace = convolution(dtype, refused, true, refused == Standin.CONVOLUTION ? 0 : 1);
      assertAllClose(fused, inPlace, t.atol(), t.rtol(), "in place, refused " + refused);
    }
  }

  private float[] attention(int width, int refused, long expectedCalls) {
    random.setSeed(11);
    Standin.refuse(refused);
    long before = Standin.count(1);
    int all = 3 * width;
    try (Backend b = new CudaBackendProvider().create(new BackendOptions(DType.F16, 0, 0));
        Tensor q = tensor(b, randoms(2 * 70L * all), 2, 70, all);
        Tensor k = tensor(b, randoms(2 * 77L * all), 2, 77, all);
        Tensor v = tensor(b, randoms(2 * 77L * all), 2, 77, all);
        Tensor out = b.allocate(2, 70, all)) {
      b.attention(q, k, v, 3, 0.3f, false, out);
      float[] result = b.toFloats(out);
      assertEquals(expectedCalls, Standin.count(1) - before, "attentions of cuDNN");
      return result;
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {8, 40, 64, 160})
  void attentionIsTheSameByOurOwnKernel(int width) {
    Tolerance t = Tolerance.of(DType.F16);
    float[] theirs = attention(width, 0, 1);
    float[] ours = attention(width, Standin.ATTENTION, 0);
    assertAllClose(theirs, ours, t.atol(), t.rtol(), "width " + width);
  }

  @Test
  void widthsThatAreNoMultiplesOfEightAreNotAskedFor() {
    attention(12, 0, 0);
  }
}
