package io.github.distrifuser.tensor;

import static org.junit.jupiter.api.Assertions.fail;

/** Comparisons of many numbers that say where they differ most. */
public final class TensorAssertions {
  private TensorAssertions() {}

  /** {@link #assertAllClose(float[], float[], double, double, Object)} without a message. */
  public static void assertAllClose(float[] expected, float[] actual, double atol, double rtol) {
    assertAllClose(expected, actual, atol, rtol, "values");
  }

  /**
   * Fails unless {@code |actual - expected| <= atol + rtol * |expected|} everywhere. The message
   * names the index that is furthest beyond its limit, both values there, and how many are beyond.
   * Equal infinities are close, and so is NaN to NaN.
   *
   * @param what begins the message
   */
  public static void assertAllClose(
      float[] expected, float[] actual, double atol, double rtol, Object what) {
    if (expected.length != actual.length) {
      fail(what + ": expected " + expected.length + " values, found " + actual.length);
    }
    int worst = -1;
    int beyond = 0;
    double most = 1;
    for (int i = 0; i < expected.length; i++) {
      double excess = excess(expected[i], actual[i], atol, rtol);
      if (excess > 1) {
        beyond++;
      }
      if (excess > most) {
        most = excess;
        worst = i;
      }
    }
    if (worst >= 0) {
      fail(
          what
              + ": "
              + beyond
              + " of "
              + expected.length
              + " values differ by more than "
              + atol
              + " + "
              + rtol
              + " * |expected|; worst at index "
              + worst
              + ": expected "
              + expected[worst]
              + ", found "
              + actual[worst]
              + ", difference "
              + Math.abs((double) actual[worst] - expected[worst]));
    }
  }

  /** Difference in units of what is allowed. */
  private static double excess(float expected, float actual, double atol, double rtol) {
    if (Float.compare(expected, actual) == 0 || expected == actual) {
      return 0;
    }
    double difference = Math.abs((double) actual - expected);
    double allowed = atol + rtol * Math.abs((double) expected);
    if (!(difference < Double.POSITIVE_INFINITY) || allowed == 0) {
      return Double.POSITIVE_INFINITY;
    }
    return difference / allowed;
  }
}
