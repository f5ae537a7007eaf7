package io.github.distrifuser.backend.reference;

/** Group and layer normalisation over float arrays, statistics in double precision. */
final class Norms {
  private Norms() {}

  /**
   * Mean and biased variance {@code [batch, groups, 2]} of {@code x [batch, pixels, channels]}, in
   * two passes, so that a mean far from zero costs no precision.
   */
  static double[] groupMoments(float[] x, int batch, int pixels, int channels, int groups) {
    int each = channels / groups;
    double count = (double) pixels * each;
    double[] moments = new double[batch * groups * 2];
    for (int b = 0; b < batch; b++) {
      for (int g = 0; g < groups; g++) {
        int first = b * pixels * channels + g * each;
        double sum = 0;
        for (int p = 0; p < pixels; p++) {
          for (int c = 0; c < each; c++) {
            sum += x[first + p * channels + c];
          }
        }
        double mean = sum / count;
        double squares = 0;
        for (int p = 0; p < pixels; p++) {
          for (int c = 0; c < each; c++) {
            double d = x[first + p * channels + c] - mean;
            squares += d * d;
          }
        }
        moments[(b * groups + g) * 2] = mean;
        moments[(b * groups + g) * 2 + 1] = squares / count;
      }
    }
    return moments;
  }

  /** Normalises {@code x [batch, pixels, channels]} in place with the given moments. */
  static void groupNorm(
      float[] x,
      int batch,
      int pixels,
      int channels,
      double[] moments,
      ReferenceWeight affine,
      float eps) {
    int groups = moments.length / 2 / Math.max(1, batch);
    int each = channels / groups;
    for (int b = 0; b < batch; b++) {
      for (int c = 0; c < channels; c++) {
        int m = (b * groups + c / each) * 2;
        double scale = affine.values()[c] / Math.sqrt(moments[m + 1] + eps);
        double mean = moments[m];
        double shift = affine.biasAt(c);
        int first = b * pixels * channels + c;
        for (int p = 0; p < pixels; p++) {
          int i = first + p * channels;
          x[i] = (float) ((x[i] - mean) * scale + shift);
        }
      }
    }
  }

  /** Normalises each row of {@code x [rows, channels]} in place. */
  static void layerNorm(float[] x, int rows, int channels, ReferenceWeight affine, float eps) {
    for (int r = 0; r < rows; r++) {
      int first = r * channels;
      double sum = 0;
      for (int c = 0; c < channels; c++) {
        sum += x[first + c];
      }
      double mean = sum / channels;
      double squares = 0;
      for (int c = 0; c < channels; c++) {
        squares += (x[first + c] - mean) * (x[first + c] - mean);
      }
      double scale = 1 / Math.sqrt(squares / channels + eps);
      for (int c = 0; c < channels; c++) {
        double n = (x[first + c] - mean) * scale;
        x[first + c] = (float) (n * affine.values()[c] + affine.biasAt(c));
      }
    }
  }
}
