package io.github.distrifuser.schedulers;

/** Quantiles of the symmetric beta distribution. */
final class BetaDistribution {
  private static final int MAX_TERMS = 500;

  private BetaDistribution() {}

  /**
   * The x in [0, 1] below which a share {@code p} of the distribution with both parameters {@code
   * a} lies.
   */
  static double quantile(double p, double a) {
    if (!(p >= 0 && p <= 1)) {
      throw new IllegalArgumentException("probability out of [0, 1]: " + p);
    }
    if (p > 0.5) {
      return 1 - quantile(1 - p, a); // small x keep their precision
    }
    if (p == 0) {
      return 0;
    }
    // Bisection in log x: the distribution's lower half is almost a power of x.
    double low = Math.log(Double.MIN_NORMAL);
    double high = Math.log(0.5);
    for (int i = 0; i < 200 && high > low; i++) {
      double middle = 0.5 * (low + high);
      if (middle == low || middle == high) {
        break;
      }
      if (lowerShare(Math.exp(middle), a) < p) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return Math.exp(0.5 * (low + high));
  }

  /**
   * Regularised incomplete beta function I_x(a, a) for x up to one half, by its power series: x^a
   * (1-x)^a / (a B) times the sum of (2a)_n / (a+1)_n x^n.
   */
  private static double lowerShare(double x, double a) {
    double term = 1;
    double sum = 1;
    for (int n = 0; n < MAX_TERMS && term > sum * 1e-17; n++) {
      term *= (2 * a + n) / (a + 1 + n) * x;
      sum += term;
    }
    double half = halfSeries(a);
    // I_{1/2}(a, a) = 1/2 fixes the constant, so that no gamma function is needed.
    return 0.5 * Math.pow(4 * x * (1 - x), a) * sum / half;
  }

  private static double halfSeries(double a) {
    double term = 1;
    double sum = 1;
    for (int n = 0; n < MAX_TERMS && term > sum * 1e-17; n++) {
      term *= (2 * a + n) / (a + 1 + n) * 0.5;
      sum += term;
    }
    return sum;
  }
}
