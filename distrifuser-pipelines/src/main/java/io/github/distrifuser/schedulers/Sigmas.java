package io.github.distrifuser.schedulers;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Places a run's noise levels by the rules of {@link SigmaSpacing}, and finds their timesteps. */
final class Sigmas {
  private static final double RHO = 7;

  /**
   * Bounds that a configuration may set; a run's own levels where it does not.
   *
   * @param min {@code sigma_min}
   * @param max {@code sigma_max}
   */
  record Range(@Nullable Double min, @Nullable Double max) {
    /** Reads both, also where only another scheduler has them in its own configuration. */
    static Range of(SchedulerConfig config) {
      return new Range(config.optionalNumber("sigma_min"), config.optionalNumber("sigma_max"));
    }

    double minOr(double own) {
      return min != null ? min : own;
    }

    double maxOr(double own) {
      return max != null ? max : own;
    }
  }

  private final float[] logSigmas; // [num_train_timesteps], rising

  /**
   * @param trainSigmas noise levels of the training steps, rising
   */
  Sigmas(float[] trainSigmas) {
    logSigmas = new float[trainSigmas.length];
    for (int i = 0; i < logSigmas.length; i++) {
      logSigmas[i] = (float) Math.log(trainSigmas[i]);
    }
  }

  /**
   * {@code n} noise levels between two, in descending order.
   *
   * @throws IllegalArgumentException for {@link SigmaSpacing#TIMESTEPS}, which places none
   */
  double[] place(SigmaSpacing spacing, double max, double min, int n) {
    double[] out = new double[n];
    switch (spacing) {
      case KARRAS -> {
        double from = Math.pow(max, 1 / RHO);
        double to = Math.pow(min, 1 / RHO);
        double[] ramp = Grid.linspace(0, 1, n);
        for (int i = 0; i < n; i++) {
          out[i] = Math.pow(from + ramp[i] * (to - from), RHO);
        }
      }
      case EXPONENTIAL -> {
        double[] logs = Grid.linspace(Math.log(max), Math.log(min), n);
        for (int i = 0; i < n; i++) {
          out[i] = Math.exp(logs[i]);
        }
      }
      case BETA -> {
        double[] ramp = Grid.linspace(0, 1, n);
        for (int i = 0; i < n; i++) {
          out[i] = min + BetaDistribution.quantile(1 - ramp[i], 0.6) * (max - min);
        }
      }
      case LU -> {
        double from = logSigmas[logSigmas.length - 1];
        double to = logSigmas[0];
        double[] ramp = Grid.linspace(0, 1, n);
        for (int i = 0; i < n; i++) {
          out[i] = Math.exp(from + ramp[i] * (to - from));
        }
      }
      case TIMESTEPS -> throw new IllegalArgumentException("no rule to place sigmas");
    }
    return out;
  }

  /** The training step, perhaps between two, at which the noise has this level. */
  double toTimestep(double sigma) {
    double log = Math.log(Math.max(sigma, 1e-10));
    int low = low(log);
    double w = (logSigmas[low] - log) / (logSigmas[low] - logSigmas[low + 1]);
    return between(low, w);
  }

  /** The same in float32, as upstream computes levels that the caller gives. */
  double toTimestep(float sigma) {
    float log = (float) Math.log(Math.max(sigma, 1e-10f));
    int low = low(log);
    float w = (logSigmas[low] - log) / (logSigmas[low] - logSigmas[low + 1]);
    return between(low, w);
  }

  double[] toTimesteps(double[] sigmas) {
    return Arrays.stream(sigmas).map(this::toTimestep).toArray();
  }

  /** The last training step whose level is not above this one, but never the last of all. */
  private int low(double log) {
    int low = 0;
    for (int i = 1; i < logSigmas.length - 1; i++) {
      if (log >= logSigmas[i]) {
        low = i;
      }
    }
    return low;
  }

  private static double between(int low, double w) {
    double clipped = Math.min(Math.max(w, 0), 1);
    return (1 - clipped) * low + clipped * (low + 1);
  }

  /** Levels with the final one appended, in float32. */
  static float[] withFinal(double[] sigmas, float last) {
    float[] out = Arrays.copyOf(Grid.toFloats(sigmas), sigmas.length + 1);
    out[sigmas.length] = last;
    return out;
  }

  /** The largest of some levels. */
  static float max(float[] sigmas) {
    float max = sigmas[0];
    for (float s : sigmas) {
      max = Math.max(max, s);
    }
    return max;
  }
}
