package io.github.distrifuser.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ShapeTest {
  @Test
  void dimensionsCountFromBothEnds() {
    Shape s = Shape.of(2, 3, 5);
    assertEquals(3, s.rank());
    assertEquals(2, s.dim(0));
    assertEquals(5, s.dim(-1));
    assertEquals(3, s.size(-2));
    assertEquals(30, s.elements());
    assertEquals("[2, 3, 5]", s.toString());
  }

  @Test
  void aShapeWithoutDimensionsHasOneElement() {
    assertEquals(1, Shape.of().elements());
    assertEquals("[]", Shape.of().toString());
    assertEquals(0, Shape.of(3, 0).elements());
  }

  @Test
  void denseStridesAreRowMajor() {
    assertArrayEquals(new long[] {15, 5, 1}, Shape.of(2, 3, 5).denseStrides());
    assertArrayEquals(new long[0], Shape.of().denseStrides());
  }

  @Test
  void arraysGivenAndTakenAreCopies() {
    long[] dims = {2, 3};
    Shape s = Shape.of(dims);
    dims[0] = 9;
    s.toArray()[1] = 9;
    assertEquals(Shape.of(2, 3), s);
  }

  @Test
  void withReplacesOneDimension() {
    Shape s = Shape.of(2, 3);
    assertEquals(Shape.of(2, 7), s.with(-1, 7));
    assertEquals(Shape.of(7, 3), s.with(0, 7));
    assertEquals(Shape.of(2, 3), s);
  }

  @Test
  void equalByDimensions() {
    assertEquals(Shape.of(2, 3).hashCode(), Shape.of(2, 3).hashCode());
    assertNotEquals(Shape.of(2, 3), Shape.of(3, 2));
    assertNotEquals(Shape.of(2, 3), Shape.of(2, 3, 1));
  }

  @Test
  void impossibleSizesAreRefused() {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> Shape.of(2, -1));
    assertTrue(e.getMessage().contains("[2, -1]"), e.getMessage());
    assertThrows(ArithmeticException.class, () -> Shape.of(1L << 40, 1L << 40));
    assertThrows(ArithmeticException.class, () -> Shape.of(1L << 40).size(0));
  }
}
