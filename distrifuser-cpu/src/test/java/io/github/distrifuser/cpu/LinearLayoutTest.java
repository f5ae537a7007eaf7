package io.github.distrifuser.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Weights of linear layers that are packed give what they give as they lie. */
class LinearLayoutTest {
  private final Fixture fixture = new Fixture();

  private static List<DType> types() {
    List<DType> types = new ArrayList<>(List.of(DType.F32));
    if (ComputeTypes.of(DType.BF16) == DType.BF16) {
      types.add(DType.BF16);
    }
    return types;
  }

  private static LinearWeight weight(
      OneDnnBackend b,
      List<WeightTensor> parts,
      @Nullable List<WeightTensor> biases,
      boolean packed,
      long... splits) {
    return new LinearWeight("l", parts, biases, b.dtype(), packed, b.context().workers(), splits);
  }

  /** Rows are cut at multiples of 192, which are whole blocks of 64, 48, 32, 24 or 16. */
  @ParameterizedTest
  @CsvSource({
    // columns, rows of each of two parts, rows of the input, where they may be cut as well
    "320, 384, 130, 576",
    "320, 384, 1, 576",
    "40, 192, 2, 192",
    "1280, 192, 77, 192",
    "33, 192, 5, 192"
  })
  void packedRowsAndTheirSlicesMultiplyTheSame(int in, int out, int rows, int cut) {
    for (DType type : types()) {
      try (OneDnnBackend b = new OneDnnBackend(new BackendOptions(type, 2, 0))) {
        List<WeightTensor> parts =
            List.of(fixture.weight(type, 0.1f, out, in), fixture.weight(DType.F16, 0.1f, out, in));
        List<WeightTensor> biases =
            List.of(fixture.weight(type, 1, out), fixture.weight(type, 1, out));
        try (LinearWeight plain = weight(b, parts, biases, false, out, cut);
            LinearWeight packed = weight(b, parts, biases, true, out, cut)) {
          assertNull(plain.layout());
          assertNotNull(packed.layout());
          Tensor x = Fixture.dense(b, fixture.floats(rows * in, 1), rows, in);
          compare(b, x, plain, packed);
          for (int[] s : new int[][] {{0, out}, {out, 2 * out}, {cut, 2 * out}, {0, cut}}) {
            compare(
                b,
                x,
                (LinearWeight) plain.rows(s[0], s[1]),
                (LinearWeight) packed.rows(s[0], s[1]));
          }
          Tensor expected = b.allocate(1, rows, out);
          Tensor found = b.allocate(1, rows, out);
          b.geglu(x.reshape(1, rows, in), plain, expected);
          b.geglu(x.reshape(1, rows, in), packed, found);
          assertSame("geglu", b, expected, found);
        }
      }
    }
  }

  @Test
  void theLastBlockNeedNotBeWhole() {
    for (DType type : types()) {
      try (OneDnnBackend b = new OneDnnBackend(new BackendOptions(type, 1, 0))) {
        List<WeightTensor> parts = List.of(fixture.weight(type, 0.1f, 100, 50));
        try (LinearWeight plain = weight(b, parts, null, false);
            LinearWeight packed = weight(b, parts, null, true)) {
          assertNotNull(packed.layout());
          compare(b, Fixture.dense(b, fixture.floats(7 * 50, 1), 7, 50), plain, packed);
        }
      }
    }
  }

  private void compare(OneDnnBackend b, Tensor x, LinearWeight plain, LinearWeight packed) {
    long[] shape = {x.shape().dim(0), plain.out()};
    Tensor expected = b.allocate(shape);
    Tensor found = b.allocate(shape);
    float[] residual = fixture.floats((int) (shape[0] * shape[1]), 1);
    Tensor other = Fixture.dense(b, residual, shape);
    for (Activation a : List.of(Activation.NONE, Activation.SILU)) {
      b.linear(x, plain, a, null, expected);
      b.linear(x, packed, a, null, found);
      assertSame(packed.shape() + " " + a, b, expected, found);
      b.linear(x, plain, a, other, expected);
      b.linear(x, packed, a, other, found);
      assertSame(packed.shape() + " " + a + " and another", b, expected, found);
      b.linear(x, plain, a, expected, expected);
      b.linear(x, packed, a, found, found);
      assertSame(packed.shape() + " " + a + " and itself", b, expected, found);
    }
  }

  private static void assertSame(String what, OneDnnBackend b, Tensor expected, Tensor found) {
    double tolerance = b.dtype() == DType.F32 ? 1e-5 : 1e-2;
    Fixture.assertClose(
        b.dtype() + " " + what, b.toFloats(expected), b.toFloats(found), tolerance, tolerance);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 33, 101})
  void whereASliceWouldBeginWithinABlockRowsStayAsTheyLie(long cut) {
    assertNull(LinearLayout.choose(DType.F32, 64, new TreeSet<>(List.of(0L, cut, 256L))));
    try (OneDnnBackend b = new OneDnnBackend(new BackendOptions(DType.F32, 1, 0))) {
      WeightTensor w = fixture.weight(DType.F32, 1, 256, 64);
      try (LinearWeight l = weight(b, List.of(w), null, true, cut)) {
        assertNull(l.layout());
        assertEquals(Address.of(w.data()), l.address());
      }
    }
  }

  @Test
  void onlyCutsBoundSlices() {
    try (OneDnnBackend b = new OneDnnBackend(new BackendOptions(DType.F32, 1, 0))) {
      LinearWeight l = weight(b, List.of(fixture.weight(DType.F32, 1, 384, 64)), null, true, 192);
      assertThrows(IllegalArgumentException.class, () -> l.rows(96, 192));
      LinearWeight tail = (LinearWeight) l.rows(192, 384);
      assertEquals(l.address() + 192 * 64 * Float.BYTES, tail.address());
      l.close();
      assertThrows(IllegalStateException.class, tail::layout);
    }
  }
}
