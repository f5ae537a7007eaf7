package io.github.distrifuser.pipelines;

import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Shape;

/** Classifier-free guidance on the host, in diffusers' arithmetic. */
final class Guidance {
  private Guidance() {}

  /**
   * Joins the halves of a prediction.
   *
   * @param both {@code [2n, c, h, w]}: unconditional, then conditional
   * @param scale how strongly the prompt pulls
   * @param rescale share of the correction of over-exposure (section 3.4 of arXiv 2305.08891)
   * @return {@code [n, c, h, w]}
   */
  static NdArray apply(NdArray both, double scale, double rescale) {
    int half = both.data().length / 2;
    float s = (float) scale;
    float[] out = new float[half];
    float[] p = both.data();
    for (int i = 0; i < half; i++) {
      out[i] = p[i] + s * (p[half + i] - p[i]);
    }
    Shape shape = both.shape().with(0, both.shape().dim(0) / 2);
    if (rescale > 0) {
      int images = shape.size(0);
      int n = half / images;
      for (int b = 0; b < images; b++) {
        rescale(p, half + b * n, out, b * n, n, rescale);
      }
    }
    return new NdArray(out, shape);
  }

  private static void rescale(float[] text, int textAt, float[] out, int at, int n, double share) {
    double factor = deviation(text, textAt, n) / deviation(out, at, n);
    float f = (float) (share * factor + (1 - share));
    for (int i = 0; i < n; i++) {
      out[at + i] *= f;
    }
  }

  /** Sample standard deviation, as torch.std gives it. */
  private static double deviation(float[] v, int at, int n) {
    double mean = 0;
    for (int i = 0; i < n; i++) {
      mean += v[at + i];
    }
    mean /= n;
    double sum = 0;
    for (int i = 0; i < n; i++) {
      double d = v[at + i] - mean;
      sum += d * d;
    }
    return Math.sqrt(sum / (n - 1));
  }
}
