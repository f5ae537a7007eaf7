package io.github.distrifuser.parallel;

import java.util.Arrays;

/**
 * How the rows of a latent are cut into patches: contiguous ranges whose boundaries are multiples
 * of the model's total down-sampling factor, so that a patch has whole rows at every level; the
 * last patch takes the remainder.
 */
public final class PatchRows {
  private final int[] starts; // patches + 1, in rows of level 0

  private PatchRows(int[] starts) {
    this.starts = starts;
  }

  /** Patches as even as can be. */
  public static PatchRows even(int rows, int factor, int patches) {
    double[] weights = new double[patches];
    Arrays.fill(weights, 1);
    return weighted(rows, factor, weights);
  }

  /**
   * Patches in proportion to weights, each at least one unit of {@code factor} rows.
   *
   * @param rows rows (or columns) of the latent
   * @param factor what boundaries are multiples of
   * @param weights one a rank, positive
   * @throws IllegalArgumentException where there are more ranks than units, saying how many would
   *     do; or where a weight is not a positive number
   */
  public static PatchRows weighted(int rows, int factor, double[] weights) {
    int n = weights.length;
    if (rows < 1 || n < 1 || !Arrays.stream(weights).allMatch(w -> w > 0 && Double.isFinite(w))) {
      throw new IllegalArgumentException(
          rows + " rows for ranks of weights " + Arrays.toString(weights));
    }
    int units = (rows + factor - 1) / factor;
    if (n > units) {
      throw new IllegalArgumentException(
          n
              + " ranks cannot split "
              + rows
              + " rows of latents in multiples of "
              + factor
              + ": at most "
              + units
              + " would do");
    }
    double total = Arrays.stream(weights).sum();
    int[] share = new int[n];
    double[] remainder = new double[n];
    int given = 0;
    for (int i = 0; i < n; i++) {
      double exact = units * weights[i] / total;
      share[i] = Math.max(1, (int) exact);
      remainder[i] = exact - share[i];
      given += share[i];
    }
    for (; given < units; given++) {
      int to = largest(remainder);
      share[to]++;
      remainder[to]--;
    }
    for (; given > units; given--) {
      int from = smallestAboveOne(remainder, share);
      share[from]--;
      remainder[from]++;
    }
    int[] starts = new int[n + 1];
    for (int i = 0; i < n; i++) {
      starts[i + 1] = Math.min(rows, starts[i] + share[i] * factor);
    }
    return new PatchRows(starts);
  }

  /** The last of equals, as the last patch's last unit may be less than whole. */
  private static int largest(double[] v) {
    int at = 0;
    for (int i = 1; i < v.length; i++) {
      if (v[i] >= v[at]) {
        at = i;
      }
    }
    return at;
  }

  private static int smallestAboveOne(double[] v, int[] share) {
    int at = -1;
    for (int i = 0; i < v.length; i++) {
      if (share[i] > 1 && (at < 0 || v[i] < v[at])) {
        at = i;
      }
    }
    return at;
  }

  /** Number of patches. */
  public int patches() {
    return starts.length - 1;
  }

  /** First row of a patch after halving {@code level} times; patch {@code patches()} is the end. */
  public int start(int patch, int level) {
    return (starts[patch] + (1 << level) - 1) >> level;
  }

  /** Rows of a patch after halving {@code level} times. */
  public int rows(int patch, int level) {
    return start(patch + 1, level) - start(patch, level);
  }

  /** Rows of the whole after halving {@code level} times. */
  public int total(int level) {
    return start(patches(), level);
  }

  @Override
  public String toString() {
    return Arrays.toString(starts);
  }
}
