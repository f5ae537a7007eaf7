package io.github.distrifuser.cpu;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Conv2dGeometry;

/** Operators as their definitions read, in double precision. */
final class Naive {
  private Naive() {}

  static double activate(Activation a, double x) {
    return switch (a) {
      case NONE -> x;
      case SILU -> x / (1 + Math.exp(-x));
      case QUICK_GELU -> x / (1 + Math.exp(-1.702 * x));
      case RELU -> Math.max(0, x);
      case GELU_TANH ->
          0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
      case GELU -> 0.5 * x * (1 + erf(x / Math.sqrt(2)));
    };
  }

  /** Its series near zero, the continued fraction of its complement elsewhere. */
  static double erf(double x) {
    double a = Math.abs(x);
    if (a < 2) {
      double term = x;
      double sum = x;
      for (int n = 1; n < 60; n++) {
        term *= -x * x / n;
        sum += term / (2 * n + 1);
      }
      return 2 / Math.sqrt(Math.PI) * sum;
    }
    double fraction = a;
    for (int n = 60; n > 0; n--) {
      fraction = a + n / 2.0 / fraction;
    }
    return Math.signum(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / fraction);
  }

  /** {@code activation(x W^T + b) + residual} of {@code [rows, in]}. */
  static float[] linear(
      float[] x, int rows, int in, float[] w, float[] b, Activation a, float[] residual) {
    int out = w.length / in;
    float[] y = new float[rows * out];
    for (int r = 0; r < rows; r++) {
      for (int o = 0; o < out; o++) {
        double s = b == null ? 0 : b[o];
        for (int i = 0; i < in; i++) {
          s += (double) x[r * in + i] * w[o * in + i];
        }
        s = activate(a, s);
        y[r * out + o] = (float) (residual == null ? s : s + residual[r * out + o]);
      }
    }
    return y;
  }

  /** Channels-last convolution of {@code [n, h, w, c]} with {@code [out, c, k, k]}. */
  static float[] conv(
      float[] x, int n, int h, int wide, int c, float[] w, float[] b, int k, Conv2dGeometry g) {
    int out = b.length;
    int oh = g.outHeight(h, k);
    int ow = g.outWidth(wide, k);
    float[] y = new float[n * oh * ow * out];
    for (int at = 0; at < y.length; at++) {
      int o = at % out;
      int px = at / out % ow;
      int py = at / out / ow % oh;
      int e = at / out / ow / oh;
      double s = b[o];
      for (int dy = 0; dy < k; dy++) {
        for (int dx = 0; dx < k; dx++) {
          int iy = py * g.stride() + dy - g.top();
          int ix = px * g.stride() + dx - g.left();
          if (iy >= 0 && iy < h && ix >= 0 && ix < wide) {
            for (int i = 0; i < c; i++) {
              s +=
                  (double) x[((e * h + iy) * wide + ix) * c + i]
                      * w[((o * c + i) * k + dy) * k + dx];
            }
          }
        }
      }
      y[at] = (float) s;
    }
    return y;
  }

  /** Mean and biased variance of each group of {@code [n, pixels, c]}. */
  static double[] moments(float[] x, int n, int pixels, int c, int groups) {
    double[] m = new double[n * groups * 2];
    int width = c / groups;
    for (int e = 0; e < n; e++) {
      for (int g = 0; g < groups; g++) {
        double mean = 0;
        double square = 0;
        for (int pass = 0; pass < 2; pass++) {
          for (int p = 0; p < pixels; p++) {
            for (int i = g * width; i < (g + 1) * width; i++) {
              double v = x[(e * pixels + p) * c + i];
              mean += pass == 0 ? v / ((double) pixels * width) : 0;
              square += pass == 0 ? 0 : (v - mean) * (v - mean) / ((double) pixels * width);
            }
          }
        }
        m[(e * groups + g) * 2] = mean;
        m[(e * groups + g) * 2 + 1] = square;
      }
    }
    return m;
  }

  static float[] groupNorm(
      float[] x,
      int n,
      int pixels,
      int c,
      double[] m,
      float[] w,
      float[] b,
      float eps,
      Activation a) {
    int groups = m.length / 2 / n;
    float[] y = new float[x.length];
    for (int at = 0; at < y.length; at++) {
      int i = at % c;
      int g = at / c / pixels * groups + i / (c / groups);
      double v = (x[at] - m[2 * g]) / Math.sqrt(m[2 * g + 1] + eps) * w[i] + b[i];
      y[at] = (float) activate(a, v);
    }
    return y;
  }

  /** Attention of {@code [n, lq, heads * d]} to {@code [n, lk, heads * d]}. */
  static float[] attention(
      float[] q,
      float[] k,
      float[] v,
      int n,
      int lq,
      int lk,
      int heads,
      int d,
      double scale,
      boolean causal) {
    int c = heads * d;
    float[] out = new float[n * lq * c];
    double[] p = new double[lk];
    for (int e = 0; e < n; e++) {
      for (int h = 0; h < heads; h++) {
        for (int i = 0; i < lq; i++) {
          int keys = causal ? Math.min(lk, i + 1) : lk;
          double max = Double.NEGATIVE_INFINITY;
          for (int j = 0; j < keys; j++) {
            double s = 0;
            for (int t = 0; t < d; t++) {
              s += (double) q[(e * lq + i) * c + h * d + t] * k[(e * lk + j) * c + h * d + t];
            }
            p[j] = s * scale;
            max = Math.max(max, p[j]);
          }
          double sum = 0;
          for (int j = 0; j < keys; j++) {
            p[j] = Math.exp(p[j] - max);
            sum += p[j];
          }
          for (int t = 0; t < d; t++) {
            double s = 0;
            for (int j = 0; j < keys; j++) {
              s += p[j] * v[(e * lk + j) * c + h * d + t];
            }
            out[(e * lq + i) * c + h * d + t] = (float) (s / sum);
          }
        }
      }
    }
    return out;
  }
}
