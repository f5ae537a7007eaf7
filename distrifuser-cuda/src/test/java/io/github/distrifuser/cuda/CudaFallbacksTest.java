package io.github.distrifuser.cuda;

import static io.github.distrifuser.tensor.TensorAssertions.assertAllClose;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.backend.Activation;
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
import java.util.Arrays;
import java.util.List;
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

  /** Two images, with gaps between them; what is added, too. */
  private void inBands(Conv2dGeometry geometry, long largest, boolean extras, long calls) {
    random.setSeed(13);
    int height = geometry.outHeight(9, 3);
    int width = geometry.outWidth(7, 3);
    try (CudaBackend b = CudaBackend.open(new BackendOptions(DType.F32, 0, 0));
        MatmulPlans products = new MatmulPlans(b.context(), largest);
        ConvOps conv = new ConvOps(b.context(), products, largest);
        PreparedWeight w =
            b.prepareConv2d(
                "w", weight(randoms(16 * 8 * 9), 16, 8, 3, 3), weight(randoms(16), 16));
        Tensor wide = tensor(b, randoms(2 * 10 * 7 * 8), 2, 10, 7, 8);
        Tensor channels = tensor(b, randoms(32), 2, 16);
        Tensor residual = tensor(b, randoms(2L * height * width * 16), 2, height, width, 16);
        Tensor whole = b.allocate(2, height, width, 16);
        Tensor parts = b.allocate(2, height, width, 16)) {
      Tensor x = wide.slice(1, 1, 10);
      Tensor c = extras ? channels : null;
      Tensor r = extras ? residual : null;
      b.conv2d(x, w, geometry, c, r, whole);
      long before = Standin.count(0);
      conv.conv2d(x, w, geometry, c, r, parts);
      assertEquals(calls, Standin.count(0) - before, "convolutions of cuDNN");
      assertArrayEquals(b.toFloats(whole), b.toFloats(parts), 1e-6f);
    }
  }

  @Test
  void convolutionsOfTooManyElementsAreComputedInBandsOfRows() {
    inBands(Conv2dGeometry.of(1, 1), 1 << 20, true, 1);
    inBands(Conv2dGeometry.of(1, 1), 7 * 16 * 4, true, 2 * 3); // 9 rows in threes
    inBands(Conv2dGeometry.of(1, 1), 7 * 16, false, 2 * 9);
    inBands(new Conv2dGeometry(2, 0, 1, 0, 1), 7 * 8 * 5, true, 2 * 2); // 4 rows in twos
    Standin.refuse(Standin.CONVOLUTION);
    inBands(Conv2dGeometry.of(1, 1), 7 * 16 * 4, true, 0);
  }

  @Test
  void productsOfTooManyElementsAreComputedInPieces() {
    try (CudaBackend b = CudaBackend.open(new BackendOptions(DType.F32, 0, 0));
        MatmulPlans products = new MatmulPlans(b.context(), 60);
        LinearWeight w =
            (LinearWeight)
                b.prepareLinear(
                    "w", List.of(weight(randoms(20), 5, 4)), List.of(weight(randoms(5), 5)));
        Tensor x = tensor(b, randoms(2 * 40 * 4), 2, 40, 4);
        Tensor residual = tensor(b, randoms(2 * 30 * 5), 2, 30, 5);
        Tensor whole = b.allocate(2, 30, 5);
        Tensor parts = b.allocate(2, 30, 5)) {
      for (Tensor from : List.of(x.slice(1, 3, 33), x.slice(1, 0, 30))) {
        b.linear(from, w, Activation.NONE, residual, whole);
        long before = Standin.count(2);
        products.multiply(
            w.address(),
            w.all().biasAddress(),
            5,
            ProductOps.operand(from),
            ProductOps.operand(residual),
            ProductOps.operand(parts),
            "w");
        assertEquals(2 * 3, Standin.count(2) - before, "products of cuBLASLt: 30 rows, 12 at once");
        assertArrayEquals(b.toFloats(whole), b.toFloats(parts), 1e-6f);
      }
    }
  }

  @Test
  void partialSumsMayBeLargerThanHalfPrecisionHolds() {
    float[] ones = new float[64];
    Arrays.fill(ones, 1);
    float[] values = new float[64];
    Arrays.fill(values, 0, 32, 3000); // 96000 is more than float16 has
    Arrays.fill(values, 32, 64, -2000);
    try (Backend b = new CudaBackendProvider().create(new BackendOptions(DType.F16, 0, 0));
        PreparedWeight w = b.prepareLinear("w", List.of(weight(ones, 1, 64)), null);
        Tensor x = tensor(b, values, 1, 64);
        Tensor out = b.allocate(1, 1)) {
      b.linear(x, w, Activation.NONE, null, out);
      assertEquals(32000, b.toFloats(out)[0]);
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
