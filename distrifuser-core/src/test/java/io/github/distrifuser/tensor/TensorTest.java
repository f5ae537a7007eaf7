package io.github.distrifuser.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.reference.ReferenceBackend;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TensorTest {
  private final Backend backend = new ReferenceBackend(BackendOptions.defaults());

  @AfterEach
  void close() {
    backend.close();
  }

  /** 0, 1, 2, ... so that a view's elements tell their places. */
  private Tensor counting(long... dims) {
    Tensor t = backend.allocate(dims);
    float[] f = new float[(int) t.shape().elements()];
    for (int i = 0; i < f.length; i++) {
      f[i] = i;
    }
    backend.write(f, 0, t);
    return t;
  }

  private void has(Tensor t, float... expected) {
    assertArrayEquals(expected, backend.toFloats(t), t.toString());
  }

  @Test
  void slicesSeeTheirElements() {
    Tensor t = counting(2, 3, 2);
    has(t.slice(0, 1, 2), 6, 7, 8, 9, 10, 11);
    has(t.slice(1, 1, 2), 2, 3, 8, 9);
    has(t.slice(-1, 1, 2), 1, 3, 5, 7, 9, 11);
    has(t.slice(0, 1, 2).slice(1, 1, 3).slice(2, 0, 1), 8, 10);
    assertEquals(Shape.of(2, 0, 2), t.slice(1, 3, 3).shape());
    assertEquals(12 * 4, t.byteSize());
    assertEquals(8 * 4, t.slice(0, 1, 2).slice(1, 1, 3).byteOffset());
  }

  @Test
  void slicesOutsideAreRefused() {
    Tensor t = counting(2, 3);
    assertThrows(IndexOutOfBoundsException.class, () -> t.slice(1, 2, 4));
    assertThrows(IndexOutOfBoundsException.class, () -> t.slice(1, -1, 2));
    assertThrows(IndexOutOfBoundsException.class, () -> t.slice(0, 2, 1));
  }

  @Test
  void densityIsKnownFromEachDimensionOn() {
    Tensor t = counting(2, 4, 3, 5);
    assertTrue(t.isDense());
    Tensor rows = t.slice(1, 1, 3);
    assertFalse(rows.isDense());
    assertTrue(rows.isDenseFrom(1));
    Tensor columns = t.slice(3, 1, 3);
    assertFalse(columns.isDenseFrom(1));
    assertTrue(columns.isDenseFrom(3));
    assertTrue(t.slice(0, 1, 2).slice(1, 2, 4).isDense()); // one batch entry has no gaps
    assertEquals("F32[2, 2, 3, 5] strides [60, 15, 5, 1]", rows.toString());
    assertEquals("F32[2, 4, 3, 5]", t.toString());
  }

  @Test
  void denseTensorsTakeAnyShape() {
    Tensor t = counting(2, 3, 4);
    has(t.reshape(4, 6).slice(0, 1, 2), 6, 7, 8, 9, 10, 11);
    assertEquals(Shape.of(24), t.reshape(24).shape());
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> t.reshape(5, 5));
    assertEquals("cannot view [2, 3, 4] as [5, 5]", e.getMessage());
  }

  @Test
  void gappedBatchesMergeAndSplitWithinABatch() {
    Tensor rows = counting(2, 4, 3, 2).slice(1, 1, 3); // [2, 2, 3, 2], 24 from batch to batch
    float[] elements = backend.toFloats(rows);
    Tensor tokens = rows.reshape(2, 6, 2);
    assertEquals(24, tokens.stride(0));
    has(tokens, elements);
    has(tokens.reshape(2, 2, 3, 2), elements);
    has(rows.reshape(2, 12), elements);
    has(rows.reshape(2, 3, 2, 1, 2), elements);
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> rows.reshape(4, 6));
    assertTrue(e.getMessage().contains("strides [24, 6, 2, 1]"), e.getMessage());
    assertTrue(e.getMessage().contains("[4, 6]"), e.getMessage());
  }

  @Test
  void columnSlicesRegroupTheirRows() {
    Tensor columns = counting(2, 6, 5).slice(-1, 1, 4);
    float[] elements = backend.toFloats(columns);
    has(columns.reshape(12, 3), elements);
    has(columns.reshape(2, 2, 3, 3), elements);
    assertEquals(5, columns.reshape(12, 3).stride(0));
    assertThrows(IllegalArgumentException.class, () -> columns.reshape(2, 18));
    Tensor both = counting(2, 6, 5).slice(1, 1, 4).slice(-1, 1, 4);
    assertThrows(IllegalArgumentException.class, () -> both.reshape(6, 3));
  }

  @Test
  void viewsShareAndOwnNothing() {
    Tensor t = counting(2, 3);
    Tensor view = t.slice(0, 1, 2);
    Tensor viewOfView = view.reshape(3, 1);
    assertNull(t.base());
    assertSame(t, view.base());
    assertSame(t, viewOfView.base());
    backend.fill(viewOfView, 9);
    has(t, 0, 1, 2, 9, 9, 9);
    view.close();
    viewOfView.close();
    has(t, 0, 1, 2, 9, 9, 9);
    assertEquals(1, backend.memory().liveTensors());
    t.close();
    t.close();
    assertEquals(0, backend.memory().liveTensors());
    assertThrows(IllegalStateException.class, () -> backend.toFloats(view));
  }

  private static List<Long> starts(Runs runs) {
    List<Long> all = new ArrayList<>();
    while (runs.hasNext()) {
      all.add(runs.next());
    }
    return all;
  }

  @Test
  void runsAreAsLongAsTheGapsAllow() {
    Tensor t = counting(2, 4, 3);
    Runs whole = Runs.of(t);
    assertEquals(24, whole.length());
    assertEquals(List.of(0L), starts(whole));
    Runs gapped = Runs.of(t.slice(1, 1, 3));
    assertEquals(6, gapped.length());
    assertEquals(List.of(3L, 15L), starts(gapped));
    Runs spaced = Runs.of(t.slice(1, 1, 3).slice(2, 1, 3));
    assertEquals(2, spaced.length());
    assertEquals(4, spaced.count());
    assertEquals(List.of(4L, 7L, 16L, 19L), starts(spaced));
    assertThrows(NoSuchElementException.class, spaced::next);
    assertFalse(Runs.of(t.slice(0, 1, 1)).hasNext());
  }
}
