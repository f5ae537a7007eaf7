package io.github.distrifuser.backend.reference;

import io.github.distrifuser.backend.Activation;

/** Scalar functions in double precision. */
final class Functions {
  private static final double TWO_OVER_ROOT_PI = 2 / Math.sqrt(Math.PI);
  private static final double ROOT_HALF = Math.sqrt(0.5);
  private static final double ROOT_TWO_OVER_PI = Math.sqrt(2 / Math.PI);

  private Functions() {}

  /**
   * The error function by its series {@code 2/sqrt(pi) exp(-x^2) sum (2 x^2)^n x / (2n + 1)!!},
   * whose terms all have one sign, so that nothing cancels.
   */
  static double erf(double x) {
    double a = Math.abs(x);
    if (a >= 6) { // 1 - erf(6) is 2e-17
      return Math.signum(x);
    }
    double square = 2 * x * x;
    double term = x;
    double sum = x;
    for (int n = 3; Math.abs(term) > 1e-17 * Math.abs(sum); n += 2) {
      term *= square / n;
      sum += term;
    }
    return TWO_OVER_ROOT_PI * Math.exp(-x * x) * sum;
  }

  static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  static double gelu(double x) {
    return 0.5 * x * (1 + erf(x * ROOT_HALF));
  }

  static double apply(Activation activation, double x) {
    return switch (activation) {
      case NONE -> x;
      case SILU -> x * sigmoid(x);
      case GELU -> gelu(x);
      case GELU_TANH -> 0.5 * x * (1 + Math.tanh(ROOT_TWO_OVER_PI * (x + 0.044715 * x * x * x)));
      case QUICK_GELU -> x * sigmoid(1.702 * x);
      case RELU -> Math.max(x, 0);
    };
  }

  static void apply(Activation activation, float[] values) {
    if (activation != Activation.NONE) {
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) apply(activation, values[i]);
      }
    }
  }
}
