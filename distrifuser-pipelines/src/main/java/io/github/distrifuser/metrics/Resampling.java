package io.github.distrifuser.metrics;

import io.github.distrifuser.image.GeneratedImage;
import java.util.Arrays;
import java.util.function.DoubleUnaryOperator;

/**
 * Resizing with a filter that widens as pictures shrink, number for number as PIL does it in its
 * mode "F" and torch in {@code interpolate(antialias=True)}: rows first, then columns, weights in
 * double, results in float32.
 */
final class Resampling {
  /** The weight of a pixel by its distance, and how far it reaches. */
  enum Filter {
    /** PIL's BICUBIC, with a = -0.5. */
    BICUBIC(2, Filter::cubic),
    /** PIL's BILINEAR. */
    BILINEAR(1, x -> Math.max(0, 1 - Math.abs(x)));

    private final double support;
    private final DoubleUnaryOperator weight;

    Filter(double support, DoubleUnaryOperator weight) {
      this.support = support;
      this.weight = weight;
    }

    private static double cubic(double distance) {
      double a = -0.5;
      double x = Math.abs(distance);
      if (x < 1) {
        return ((a + 2) * x - (a + 3)) * x * x + 1;
      }
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    }
  }

  /** For each output pixel the first input pixel, and the weights from there on. */
  private record Weights(int[] first, double[][] of) {
    static Weights make(Filter filter, int in, int out) {
      double scale = (double) in / out;
      double widening = Math.max(1, scale);
      double reach = filter.support * widening;
      int[] first = new int[out];
      double[][] weights = new double[out][];
      for (int i = 0; i < out; i++) {
        double center = (i + 0.5) * scale;
        int begin = Math.max(0, (int) (center - reach + 0.5));
        int end = Math.min(in, (int) (center + reach + 0.5));
        double[] w = new double[end - begin];
        double sum = 0;
        for (int j = 0; j < w.length; j++) {
          w[j] = filter.weight.applyAsDouble((j + begin - center + 0.5) / widening);
          sum += w[j];
        }
        for (int j = 0; j < w.length; j++) {
          w[j] /= sum;
        }
        first[i] = begin;
        weights[i] = w;
      }
      return new Weights(first, weights);
    }
  }

  private Resampling() {}

  /**
   * Resizes.
   *
   * @param pixels {@code [h, w, 3]}
   * @return {@code [height, width, 3]}
   */
  static float[] resize(float[] pixels, int h, int w, int height, int width, Filter filter) {
    float[] wide = w == width ? pixels : alongRows(pixels, h, w, width, filter);
    return h == height ? wide : alongColumns(wide, h, width, height, filter);
  }

  private static float[] alongRows(float[] in, int h, int w, int width, Filter filter) {
    Weights weights = Weights.make(filter, w, width);
    float[] out = new float[h * width * 3];
    for (int y = 0; y < h; y++) {
      for (int x = 0; x < width; x++) {
        double[] k = weights.of()[x];
        int from = (y * w + weights.first()[x]) * 3;
        for (int c = 0; c < 3; c++) {
          double sum = 0;
          for (int j = 0; j < k.length; j++) {
            sum += in[from + 3 * j + c] * k[j];
          }
          out[(y * width + x) * 3 + c] = (float) sum;
        }
      }
    }
    return out;
  }

  private static float[] alongColumns(float[] in, int h, int w, int height, Filter filter) {
    Weights weights = Weights.make(filter, h, height);
    int row = w * 3;
    float[] out = new float[height * row];
    double[] sums = new double[row];
    for (int y = 0; y < height; y++) {
      double[] k = weights.of()[y];
      Arrays.fill(sums, 0);
      for (int j = 0; j < k.length; j++) {
        int from = (weights.first()[y] + j) * row;
        for (int i = 0; i < row; i++) {
          sums[i] += in[from + i] * k[j];
        }
      }
      for (int i = 0; i < row; i++) {
        out[y * row + i] = (float) sums[i];
      }
    }
    return out;
  }

  /** A picture's bytes as floats, 0 to 255, {@code [h, w, 3]}. */
  static float[] floats(GeneratedImage image) {
    float[] f = new float[image.rgb().length];
    for (int i = 0; i < f.length; i++) {
      f[i] = image.rgb()[i] & 0xff;
    }
    return f;
  }

  /** torchvision's {@code Resize((height, width))} of an 8-bit picture. */
  static GeneratedImage bilinear(GeneratedImage image, int height, int width) {
    if (image.height() == height && image.width() == width) {
      return image;
    }
    float[] f =
        resize(floats(image), image.height(), image.width(), height, width, Filter.BILINEAR);
    byte[] rgb = new byte[f.length];
    for (int i = 0; i < f.length; i++) {
      rgb[i] = (byte) (int) Math.rint(Math.max(0, Math.min(255, f[i])));
    }
    return new GeneratedImage(height, width, rgb);
  }
}
