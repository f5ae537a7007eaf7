package io.github.distrifuser.weights;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WeightSlicesTest {

  /** Elements 0, 1, 2, .. of a type that holds them exactly. */
  private static WeightTensor counting(DType dtype, long... dims) {
    Shape shape = Shape.of(dims);
    ByteBuffer b =
        ByteBuffer.allocate((int) shape.elements() * dtype.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < shape.elements(); i++) {
      switch (dtype) {
        case F32 -> b.putFloat(i);
        case F16 -> b.putShort(HalfFloats.floatToF16(i));
        default -> b.putShort(HalfFloats.floatToBf16(i));
      }
    }
    return new WeightTensor("m.weight", "file", dtype, shape, b.flip());
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void rowsAndColumnsOfAMatrix(DType dtype) {
    WeightTensor t = counting(dtype, 3, 4);
    WeightTensor rows = WeightSlices.rows(t, 1, 3);
    assertEquals(Shape.of(2, 4), rows.shape());
    assertArrayEquals(new float[] {4, 5, 6, 7, 8, 9, 10, 11}, rows.toFloats());
    WeightTensor columns = WeightSlices.columns(t, 1, 3);
    assertEquals(Shape.of(3, 2), columns.shape());
    assertArrayEquals(new float[] {1, 2, 5, 6, 9, 10}, columns.toFloats());
    assertEquals("m.weight", columns.name());
    assertEquals("file", columns.source());
    assertEquals(dtype, columns.dtype());
  }

  @Test
  void columnsOfAConvolutionKeepTheirKernels() {
    WeightTensor t = counting(DType.F32, 2, 3, 1, 2);
    WeightTensor columns = WeightSlices.columns(t, 1, 3);
    assertEquals(Shape.of(2, 2, 1, 2), columns.shape());
    assertArrayEquals(new float[] {2, 3, 4, 5, 8, 9, 10, 11}, columns.toFloats());
  }

  @Test
  void partsOfVectorsMayBeEmpty() {
    WeightTensor t = counting(DType.F32, 5);
    assertArrayEquals(new float[] {3, 4}, WeightSlices.rows(t, 3, 5).toFloats());
    assertEquals(Shape.of(0), WeightSlices.rows(t, 5, 5).shape());
    assertEquals(Shape.of(2, 0), WeightSlices.columns(counting(DType.F32, 2, 3), 1, 1).shape());
  }

  @Test
  void rowsShareTheBytes() {
    ByteBuffer b = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    WeightTensor rows =
        WeightSlices.rows(new WeightTensor("m", "file", DType.F32, Shape.of(2, 2), b), 1, 2);
    b.putFloat(12, 7);
    assertArrayEquals(new float[] {0, 7}, rows.toFloats());
  }

  @Test
  void partsBeyondTheTensorAreRefusedByName() {
    WeightTensor t = counting(DType.F32, 2, 3);
    String message =
        assertThrows(IndexOutOfBoundsException.class, () -> WeightSlices.columns(t, 2, 4))
            .getMessage();
    assertEquals("file: m.weight: entries [2, 4) of dimension 1 of [2, 3]", message);
    assertThrows(IndexOutOfBoundsException.class, () -> WeightSlices.rows(t, -1, 1));
    assertThrows(IndexOutOfBoundsException.class, () -> WeightSlices.rows(t, 2, 1));
    assertThrows(
        IndexOutOfBoundsException.class, () -> WeightSlices.columns(counting(DType.F32, 3), 0, 1));
    assertTrue(WeightSlices.rows(t, 0, 2).toFloats().length == 6);
  }
}
