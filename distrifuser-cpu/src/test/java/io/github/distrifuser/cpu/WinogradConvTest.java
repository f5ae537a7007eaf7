package io.github.distrifuser.cpu;

import static io.github.distrifuser.cpu.Fixture.assertClose;
import static io.github.distrifuser.cpu.Fixture.columns;
import static io.github.distrifuser.cpu.Fixture.dense;
import static io.github.distrifuser.cpu.Fixture.gapped;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.fail;

import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.backend.Winograd;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Winograd's filtering against the definition, in double precision, and where it is used. */
class WinogradConvTest {
  /** What {@code --winograd auto} promises, relative to the largest output. */
  private static final double TOLERANCE = 1e-5;

  private final OneDnnBackend backend = new OneDnnBackend(new BackendOptions(DType.F32, 2, 0));
  private final WinogradConv winograd = new WinogradConv(backend.context());
  private final Fixture fixture = new Fixture();

  @AfterEach
  void close() {
    backend.close();
  }

  @ParameterizedTest(name = "{0} x {1}, {2} to {3} channels, padding {4} {5} {6} {7}")
  @CsvSource({
    "8, 8, 32, 32, 1, 1, 1, 1",
    "9, 7, 33, 20, 1, 1, 1, 1",
    "6, 21, 5, 3, 0, 1, 1, 0",
    "10, 4, 64, 100, 0, 0, 1, 1",
    "3, 3, 17, 1, 0, 0, 0, 0",
    "1, 1, 4, 70, 1, 1, 1, 1",
    "40, 36, 320, 64, 1, 1, 1, 1",
    "5, 6, 9500, 130, 1, 1, 1, 1"
  })
  void equalsTheDefinition(
      int h, int w, int in, int out, int top, int bottom, int left, int right) {
    Conv2dGeometry g = new Conv2dGeometry(1, top, bottom, left, right);
    int oh = g.outHeight(h, 3);
    int ow = g.outWidth(w, 3);
    float[] x = fixture.floats(2 * h * w * in, 1);
    float[] residual = fixture.floats(2 * oh * ow * out, 1);
    float[] extra = fixture.floats(2 * out, 1);
    for (DType type : List.of(DType.F32, DType.F16, DType.BF16)) {
      WeightTensor wt = fixture.weight(type, (float) (1 / Math.sqrt(9.0 * in)), out, in, 3, 3);
      WeightTensor bias = fixture.weight(type, 1, out);
      float[] plain = Naive.conv(x, 2, h, w, in, wt.toFloats(), bias.toFloats(), 3, g);
      float[] full = plain.clone();
      for (int i = 0; i < full.length; i++) {
        full[i] += residual[i] + extra[i / (oh * ow * out) * out + i % out];
      }
      try (PreparedWeight p = backend.prepareConv2d("conv", wt, bias)) {
        ConvWeight weight = (ConvWeight) p;
        Tensor y = backend.allocate(2, oh, ow, out);
        winograd.conv2d(dense(backend, x, 2, h, w, in), weight, g, null, null, y);
        check(type + ", plain", plain, y);

        Tensor gapX = gapped(backend, x, 2, h, w, in);
        Tensor gapY = gapped(backend, new float[full.length], 2, oh, ow, out);
        Tensor r = gapped(backend, residual, 2, oh, ow, out);
        winograd.conv2d(gapX, weight, g, columns(backend, extra, 2, out), r, gapY);
        check(type + ", all added, with gaps", full, gapY);

        float[] first = backend.toFloats(gapY);
        backend.write(residual, 0, y);
        winograd.conv2d(gapX, weight, g, columns(backend, extra, 2, out), y, y);
        assertArrayEquals(first, backend.toFloats(y), type + ", onto itself");
      }
    }
  }

  private void check(String what, float[] expected, Tensor actual) {
    double largest = 0;
    for (float e : expected) {
      largest = Math.max(largest, Math.abs(e));
    }
    assertClose(what, expected, backend.toFloats(actual), TOLERANCE * largest, 0);
  }

  @Test
  void servesLargePicturesUnlessOff() {
    assertEquals(0, tilings(Winograd.OFF, 48, 64), "off");
    assertEquals(1, tilings(Winograd.AUTO, 48, 64), "large");
    assertEquals(1, tilings(Winograd.AUTO, 24, 128), "many channels");
    assertEquals(0, tilings(Winograd.AUTO, 24, 64), "few pixels");
    assertEquals(0, tilings(Winograd.AUTO, 16, 128), "few pixels of many channels");
    assertEquals(0, tilings(Winograd.AUTO, 48, 4), "few channels");
  }

  private long tilings(Winograd winograd, int side, int channels) {
    BackendOptions options = new BackendOptions(DType.F32, 2, 0, winograd);
    WeightTensor wt = fixture.weight(DType.F16, 0.04f, channels, channels, 3, 3);
    try (OneDnnBackend b = new OneDnnBackend(options);
        PreparedWeight p = b.prepareConv2d("conv", wt, null)) {
      Tensor x = dense(b, fixture.floats(side * side * channels, 1), 1, side, side, channels);
      Tensor y = b.allocate(1, side, side, channels);
      b.conv2d(x, p, Conv2dGeometry.of(1, 1), null, null, y);
      float[] once = b.toFloats(y);
      for (int i = 0; i < 2; i++) {
        b.conv2d(x, p, Conv2dGeometry.of(1, 1), null, null, y);
        assertArrayEquals(once, b.toFloats(y), "again");
      }
      return b.context().implementations().stream()
          .filter(i -> i.contains("products of tiles"))
          .distinct()
          .count();
    }
  }

  @Test
  void keepsFiltersFromTheSecondCallOnWithinTheBudget() {
    BlockedLayout layout =
        new BlockedLayout(List.of(36L, 64L, 64L), List.of(4096L, 64L, 1L), List.of(), List.of());
    long bytes = layout.elements() * Float.BYTES;
    AtomicLong budget = new AtomicLong(bytes);
    try (ConvWeight first = weight();
        ConvWeight second = weight()) {
      long alone = first.bytes();
      assertNull(first.transformed(layout, budget, s -> {}), "used once");
      assertEquals(bytes, budget.get());
      Slab kept = first.transformed(layout, budget, s -> s.floats(0).put(0, 42));
      assertNotNull(kept);
      assertEquals(42, kept.floats(0).get(0));
      assertEquals(alone + bytes, first.bytes());
      assertSame(kept, first.transformed(layout, budget, s -> fail("transformed again")));
      assertNull(second.transformed(layout, budget, s -> {}));
      assertNull(second.transformed(layout, budget, s -> fail("nothing is left")));
      assertEquals(0, budget.get());
    }
    assertEquals(bytes, budget.get(), "given back");
  }

  private ConvWeight weight() {
    return (ConvWeight)
        backend.prepareConv2d("conv", fixture.weight(DType.F16, 0.04f, 64, 64, 3, 3), null);
  }
}
