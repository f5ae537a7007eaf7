package io.github.distrifuser.parallel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PatchRowsTest {

  private static List<Integer> starts(PatchRows p) {
    List<Integer> all = new ArrayList<>();
    for (int i = 0; i <= p.patches(); i++) {
      all.add(p.start(i, 0));
    }
    return all;
  }

  /** What holds for every cut. */
  private static void check(PatchRows p, int rows, int factor, int patches) {
    assertEquals(patches, p.patches());
    assertEquals(0, p.start(0, 0));
    assertEquals(rows, p.start(patches, 0));
    assertEquals(rows, p.total(0));
    for (int level = 0; 1 << level <= factor; level++) {
      int sum = 0;
      for (int i = 0; i < patches; i++) {
        assertTrue(p.rows(i, level) >= 1, p + " at level " + level);
        sum += p.rows(i, level);
        if (i > 0) {
          assertEquals(0, p.start(i, 0) % factor);
          assertEquals(p.start(i, 0), p.start(i, level) << level, "whole rows at every level");
        }
      }
      assertEquals(p.total(level), sum);
      assertEquals((rows + (1 << level) - 1) >> level, p.total(level)); // as strided layers have it
    }
  }

  @Test
  void evenCutsCoverInMultiplesAndDifferByOneUnit() {
    for (int factor : new int[] {1, 2, 4, 8}) {
      for (int rows = 1; rows <= 70; rows++) {
        int units = (rows + factor - 1) / factor;
        for (int n = 1; n <= Math.min(units, 9); n++) {
          PatchRows p = PatchRows.even(rows, factor, n);
          check(p, rows, factor, n);
          int most = 0;
          int least = rows;
          for (int i = 0; i < n; i++) {
            int u = (p.rows(i, 0) + factor - 1) / factor;
            most = Math.max(most, u);
            least = Math.min(least, u);
          }
          assertTrue(most - least <= 1, p.toString());
        }
      }
    }
  }

  @Test
  void anyWeightsCoverInMultiples() {
    Random r = new Random(1);
    for (int i = 0; i < 2000; i++) {
      int factor = 1 << r.nextInt(4);
      int units = 1 + r.nextInt(40);
      int rows = (units - 1) * factor + 1 + r.nextInt(factor);
      double[] w = new double[1 + r.nextInt(Math.min(units, 8))];
      for (int k = 0; k < w.length; k++) {
        w[k] = Math.exp(8 * r.nextGaussian());
      }
      check(PatchRows.weighted(rows, factor, w), rows, factor, w.length);
    }
  }

  @Test
  void rowsFollowTheWeights() {
    assertEquals(List.of(0, 64, 128), starts(PatchRows.weighted(128, 8, new double[] {1, 1})));
    assertEquals(List.of(0, 96, 128), starts(PatchRows.weighted(128, 8, new double[] {3, 1})));
    assertEquals(
        List.of(0, 32, 96, 128), starts(PatchRows.weighted(128, 8, new double[] {1, 2, 1})));
    // the smallest still gets one unit
    assertEquals(
        List.of(0, 8, 120, 128), starts(PatchRows.weighted(128, 8, new double[] {1e-9, 1, 1e-9})));
  }

  @Test
  void theLastPatchTakesTheRemainder() {
    assertEquals(List.of(0, 32, 64, 97), starts(PatchRows.even(97, 8, 3)));
    assertEquals("[0, 32, 64, 97]", PatchRows.even(97, 8, 3).toString());
  }

  @Test
  void tooManyRanksAreToldHowManyWouldDo() {
    assertEquals(
        "17 ranks cannot split 128 rows of latents in multiples of 8: at most 16 would do",
        assertThrows(IllegalArgumentException.class, () -> PatchRows.even(128, 8, 17))
            .getMessage());
    check(PatchRows.even(128, 8, 16), 128, 8, 16);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, Double.NaN, Double.POSITIVE_INFINITY})
  void weightsMustBePositiveNumbers(double weight) {
    double[] weights = {1, weight, 1};
    String message =
        assertThrows(IllegalArgumentException.class, () -> PatchRows.weighted(128, 8, weights))
            .getMessage();
    assertTrue(message.contains(Arrays.toString(weights)), message);
  }

  @Test
  void thereMustBeAPatch() {
    assertThrows(IllegalArgumentException.class, () -> PatchRows.even(8, 8, 0));
    assertThrows(IllegalArgumentException.class, () -> PatchRows.even(0, 8, 1));
  }
}
