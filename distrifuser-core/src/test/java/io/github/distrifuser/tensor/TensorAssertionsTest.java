package io.github.distrifuser.tensor;

import static io.github.distrifuser.tensor.TensorAssertions.assertAllClose;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.opentest4j.AssertionFailedError;

class TensorAssertionsTest {
  private static String failure(float[] expected, float[] actual, double atol, double rtol) {
    return assertThrows(
            AssertionFailedError.class, () -> assertAllClose(expected, actual, atol, rtol, "m"))
        .getMessage();
  }

  @Test
  void withinTheToleranceIsClose() {
    assertAllClose(new float[] {1, 100, 0}, new float[] {1.5f, 110, -0.5f}, 0.5, 0.1);
    float[] special = {Float.NaN, Float.POSITIVE_INFINITY, -0f};
    assertAllClose(special, new float[] {Float.NaN, Float.POSITIVE_INFINITY, 0}, 0, 0);
  }

  @Test
  void theWorstIsNamed() {
    assertEquals(
        "m: 2 of 3 values differ by more than 0.5 + 0.0 * |expected|;"
            + " worst at index 2: expected 3.0, found 5.0, difference 2.0",
        failure(new float[] {1, 2, 3}, new float[] {1, 3, 5}, 0.5, 0));
  }

  @Test
  void lengthsAndSpecialValuesMustAgree() {
    assertEquals("m: expected 1 values, found 2", failure(new float[1], new float[2], 9, 9));
    failure(new float[] {1}, new float[] {Float.NaN}, 1e9, 1e9);
    failure(new float[] {Float.NaN}, new float[] {1}, 1e9, 1e9);
    failure(new float[] {Float.POSITIVE_INFINITY}, new float[] {Float.NEGATIVE_INFINITY}, 1e9, 1e9);
    failure(new float[] {1}, new float[] {Float.POSITIVE_INFINITY}, 1e9, 1e9);
  }
}
