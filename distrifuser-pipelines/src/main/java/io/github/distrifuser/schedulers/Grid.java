package io.github.distrifuser.schedulers;

import java.util.Arrays;

/** Evenly spaced numbers and interpolation, rounded as numpy and torch round them. */
final class Grid {
  private Grid() {}

  /** {@code numpy.linspace(start, stop, n)} in double. */
  static double[] linspace(double start, double stop, int n) {
    double[] out = new double[n];
    double step = (stop - start) / (n - 1);
    for (int i = 0; i < n; i++) {
      out[i] = i == 0 ? start : i == n - 1 ? stop : i * step + start;
    }
    return out;
  }

  /** {@code torch.linspace(start, stop, n)} in float32: from both ends to the middle, fused. */
  static float[] torchLinspace(double start, double stop, int n) {
    float a = (float) start;
    float b = (float) stop;
    float[] out = new float[n];
    if (n == 1) {
      out[0] = a;
      return out;
    }
    float step = (b - a) / (n - 1);
    for (int i = 0; i < n; i++) {
      out[i] = i < n / 2 ? Math.fma(step, i, a) : Math.fma(-step, n - i - 1, b);
    }
    return out;
  }

  /** {@code numpy.interp(x, [0, 1, 2, ...], values)}: linear, constant beyond the ends. */
  static double[] interpolate(double[] x, float[] values) {
    double[] out = new double[x.length];
    int last = values.length - 1;
    for (int i = 0; i < x.length; i++) {
      if (x[i] <= 0) {
        out[i] = values[0];
      } else if (x[i] >= last) {
        out[i] = values[last];
      } else {
        int j = (int) x[i];
        double slope = (double) values[j + 1] - values[j];
        out[i] = slope * (x[i] - j) + values[j];
      }
    }
    return out;
  }

  /**
   * Timesteps of a run in descending order, as most schedulers count them.
   *
   * <p>Where diffusers' trailing spacing ends in a spurious timestep of -1, which happens for some
   * counts above 60 through rounding, this one stops before it.
   *
   * @param train number of training steps
   * @param offset added under leading spacing
   */
  static double[] timesteps(TimestepSpacing spacing, int train, int n, int offset) {
    return switch (spacing) {
      case LINSPACE -> descending(linspace(0, train - 1, n));
      case LEADING -> leading(train / n, n, offset);
      case TRAILING -> trailing(train, (double) train / n);
    };
  }

  /**
   * Timesteps as multistep solvers count them: one more than {@code n}, of which the lowest is left
   * out.
   *
   * @param last number of training steps in use, at most {@code train}
   */
  static double[] multistepTimesteps(
      TimestepSpacing spacing, int train, int last, int n, int offset) {
    return switch (spacing) {
      case LINSPACE -> Arrays.copyOf(rint(descending(linspace(0, last - 1, n + 1))), n);
      case LEADING -> Arrays.copyOf(leading(last / (n + 1), n + 1, offset), n);
      case TRAILING -> trailing(last, (double) train / n);
    };
  }

  private static double[] leading(int ratio, int n, int offset) {
    double[] out = new double[n];
    for (int i = 0; i < n; i++) {
      out[i] = (double) (n - 1 - i) * ratio + offset;
    }
    return out;
  }

  private static double[] trailing(int from, double ratio) {
    int n = (int) Math.ceil(from / ratio);
    double delta = from + -ratio - from; // as numpy.arange finds its step
    double[] out = new double[n];
    int kept = 0;
    for (int i = 0; i < n; i++) {
      double t = Math.rint(from + i * delta) - 1;
      if (t >= 0) {
        out[kept++] = t;
      }
    }
    return Arrays.copyOf(out, kept);
  }

  static double[] descending(double[] a) {
    double[] out = new double[a.length];
    for (int i = 0; i < a.length; i++) {
      out[i] = a[a.length - 1 - i];
    }
    return out;
  }

  /** Each number rounded to the nearest whole one, ties to even, in place. */
  static double[] rint(double[] a) {
    for (int i = 0; i < a.length; i++) {
      a[i] = Math.rint(a[i]);
    }
    return a;
  }

  /** Each number rounded to float32, in place. */
  static double[] toFloat32(double[] a) {
    for (int i = 0; i < a.length; i++) {
      a[i] = (float) a[i];
    }
    return a;
  }

  static float[] toFloats(double[] a) {
    float[] out = new float[a.length];
    for (int i = 0; i < a.length; i++) {
      out[i] = (float) a[i];
    }
    return out;
  }
}
