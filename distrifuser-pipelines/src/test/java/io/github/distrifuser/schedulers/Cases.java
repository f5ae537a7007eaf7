package io.github.distrifuser.schedulers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import io.github.distrifuser.weights.SafetensorsFile;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.file.Path;
import java.util.Arrays;

/** Reads reference cases and compares with them. */
final class Cases {
  private Cases() {}

  static Path path(String name) {
    return Path.of(System.getProperty("distrifuser.testResources"), "cases").resolve(name);
  }

  /** A tensor of doubles. */
  static double[] doubles(SafetensorsFile file, String name) {
    WeightTensor t = file.get(name);
    double[] out = new double[Math.toIntExact(t.shape().elements())];
    t.data().asDoubleBuffer().get(out);
    return out;
  }

  static float[] floats(SafetensorsFile file, String name) {
    return file.get(name).toFloats();
  }

  /** Compares arrays to {@code rtol} of the largest expected value. */
  static void assertClose(String what, double[] expected, double[] actual, double rtol) {
    double max = Arrays.stream(expected).map(Math::abs).max().orElse(0);
    assertWithin(what, expected, actual, rtol * max);
  }

  static void assertClose(String what, float[] expected, float[] actual, double rtol) {
    assertClose(what, widen(expected), widen(actual), rtol);
  }

  static void assertWithin(String what, float[] expected, float[] actual, double atol) {
    assertWithin(what, widen(expected), widen(actual), atol);
  }

  /** Compares arrays element by element; reports the worst one. */
  private static void assertWithin(String what, double[] expected, double[] actual, double atol) {
    assertEquals(expected.length, actual.length, what + ": length");
    int worst = -1;
    double most = atol;
    for (int i = 0; i < expected.length; i++) {
      double d = Math.abs(expected[i] - actual[i]);
      if (!(d <= most)) {
        worst = i;
        most = d;
      }
    }
    if (worst >= 0) {
      fail(
          String.format(
              "%s[%d]: expected %s, found %s, allowed %s",
              what, worst, expected[worst], actual[worst], atol));
    }
  }

  /** The largest absolute value. */
  static double max(float[] a) {
    return Arrays.stream(widen(a)).map(Math::abs).max().orElse(0);
  }

  static double[] widen(float[] a) {
    double[] out = new double[a.length];
    for (int i = 0; i < a.length; i++) {
      out[i] = a[i];
    }
    return out;
  }
}
