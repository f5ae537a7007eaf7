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

  private LinearWeight weight(
      OneDnnBackend b, List<WeightTensor> parts, boolean packed, long... splits) {
    return new LinearWeight("l", parts, null, b.dtype(), packed, b.context().workers(), splits);
  }

  @ParameterizedTest
  @CsvSource({
    // columns, rows of each of two parts, rows of the input, where the second part is cut
    "320, 320, 130, 384",
    "320, 320, 1, 384",
    "40, 128, 2, 192",
    "1280, 64, 77, 64",
    "33, 192, 5, 320"
  })
  void packedRowsAndTheirSlicesMultiplyTheSame(int in, int out, int rows, int cut) {
    for (DType type : types()) {
      try (OneDnnBackend b = new OneDnnBackend(new BackendOptions(type, 2, 0))) {
        List<WeightTensor> parts =
            List.of(fixture.weight(type, 0.1f, out, in), fixture.weight(DType.F16, 0.1f, out, in));
        try (LinearWeight plain = weight(b, parts, false, cut);
            LinearWeight packed = weight(b, parts, true, cut)) {
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
        }
      }
    }
  }

  private static void compare(OneDnnBackend b, Tensor x, LinearWeight plain, LinearWeight packed) {
    Tensor expected = b.allocate(x.shape().dim(0), plain.out());
    Tensor found = b.allocate(x.shape().dim(0), plain.out());
    b.linear(x, plain, Activation.NONE, null, expected);
    b.linear(x, packed, Activation.NONE, null, found);
    double tolerance = b.dtype() == DType.F32 ? 1e-5 : 1e-2;
    Fixture.assertClose(
        b.dtype() + " " + packed.shape(),
        b.toFloats(expected),
        b.toFloats(found),
        tolerance,
        tolerance);
  }

  @ParameterizedTest
  @ValueSource(longs = {40, 33, 100})
  void whereASliceWouldBeginWithinABlockRowsStayAsTheyLie(long cut) {
    assertNull(LinearLayout.choose(DType.F32, 64, new TreeSet<>(List.of(0L, cut, 256L))));
    try (OneDnnBackend b = new OneDnnBackend(new BackendOptions(DType.F32, 1, 0))) {
      WeightTensor w = fixture.weight(DType.F32, 1, 256, 64);
      try (LinearWeight l = weight(b, List.of(w), true, cut)) {
        assertNull(l.layout());
        assertEquals(Address.of(w.data()), l.address());
      }
    }
  }

  @Test
  void onlyCutsBoundSlices() {
    try (OneDnnBackend b = new OneDnnBackend(new BackendOptions(DType.F32, 1, 0))) {
      LinearWeight l = weight(b, List.of(fixture.weight(DType.F32, 1, 256, 64)), true, 128);
      assertThrows(IllegalArgumentException.class, () -> l.rows(64, 128));
      LinearWeight tail = (LinearWeight) l.rows(128, 256);
      assertEquals(l.address() + 128 * 64 * Float.BYTES, tail.address());
      l.close();
      assertThrows(IllegalStateException.class, tail::layout);
    }
  }
}
