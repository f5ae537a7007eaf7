package io.github.distrifuser.backend.reference;

import java.util.Arrays;

/**
 * Attention of one head over float arrays in double precision, one query at a time: all of a
 * query's scores exist, never those of two.
 */
final class HeadAttention {
  private final int width; // of q and k
  private final int valueWidth;
  private final int keys;
  private final double[] k; // [width][keys]
  private final double[] v; // [keys][valueWidth]
  private final double[] scores; // [keys]
  private final double[] sum; // [valueWidth]

  HeadAttention(int width, int valueWidth, int keys) {
    this.width = width;
    this.valueWidth = valueWidth;
    this.keys = keys;
    this.k = new double[Math.multiplyExact(width, keys)];
    this.v = new double[Math.multiplyExact(valueWidth, keys)];
    this.scores = new double[keys];
    this.sum = new double[valueWidth];
  }

  /** Takes one head's keys and values, each row {@code step} elements after the one before. */
  void load(
      float[] keyRows, int keyAt, int keyStep, float[] valueRows, int valueAt, int valueStep) {
    for (int j = 0; j < keys; j++) {
      for (int d = 0; d < width; d++) {
        k[d * keys + j] = keyRows[keyAt + j * keyStep + d];
      }
      for (int d = 0; d < valueWidth; d++) {
        v[j * valueWidth + d] = valueRows[valueAt + j * valueStep + d];
      }
    }
  }

  /** {@code out[outAt..] = softmax(q[at..] k^T * scale) v} over the first {@code visible} keys. */
  void query(float[] q, int at, double scale, int visible, float[] out, int outAt) {
    Arrays.fill(scores, 0, visible, 0);
    for (int d = 0; d < width; d++) {
      double a = q[at + d] * scale;
      int row = d * keys;
      for (int j = 0; j < visible; j++) {
        scores[j] += a * k[row + j];
      }
    }
    double top = Double.NEGATIVE_INFINITY;
    for (int j = 0; j < visible; j++) {
      top = Math.max(top, scores[j]);
    }
    double total = 0;
    Arrays.fill(sum, 0);
    for (int j = 0; j < visible; j++) {
      double p = Math.exp(scores[j] - top);
      total += p;
      int row = j * valueWidth;
      for (int d = 0; d < valueWidth; d++) {
        sum[d] += p * v[row + d];
      }
    }
    for (int d = 0; d < valueWidth; d++) {
      out[outAt + d] = (float) (sum[d] / total);
    }
  }
}
