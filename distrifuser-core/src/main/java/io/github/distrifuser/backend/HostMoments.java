package io.github.distrifuser.backend;

/**
 * {@link Backend#combineMoments} on the host, in double precision. Moments travel as mean and
 * variance, which keep their digits where the mean is far above the deviation; the rules are about
 * E[x] and E[x^2].
 */
final class HostMoments {
  private HostMoments() {}

  /**
   * Combines one patch after another.
   *
   * @param all {@code [patches, n, 2]}
   * @param own {@code [n, 2]}
   * @return {@code [n, 2]}
   */
  static float[] combine(MomentRule rule, float[] all, float[] own, double[] weights, int index) {
    int n = own.length / 2;
    float[] out = new float[own.length];
    for (int i = 0; i < n; i++) {
      double mean = 0;
      double square = 0;
      double ownMean = own[2 * i];
      double ownVariance = own[2 * i + 1];
      for (int p = 0; p < weights.length; p++) {
        boolean fresh = rule == MomentRule.STALE && p == index;
        double m = fresh ? ownMean : all[2 * (p * n + i)];
        double v = fresh ? ownVariance : all[2 * (p * n + i) + 1];
        mean += weights[p] * m;
        square += weights[p] * (v + m * m);
      }
      if (rule == MomentRule.CORRECTED) {
        double oldMean = all[2 * (index * n + i)];
        double oldVariance = all[2 * (index * n + i) + 1];
        mean += ownMean - oldMean;
        square += ownVariance + ownMean * ownMean - (oldVariance + oldMean * oldMean);
      }
      double variance = square - mean * mean;
      out[2 * i] = (float) mean;
      out[2 * i + 1] = (float) (variance < 0 ? ownVariance : variance);
    }
    return out;
  }
}
