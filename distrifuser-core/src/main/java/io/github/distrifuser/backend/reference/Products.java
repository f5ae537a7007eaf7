package io.github.distrifuser.backend.reference;

import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.tensor.Shape;

/** Matrix products and convolutions over float arrays. */
final class Products {
  private Products() {}

  /** {@code [rows, out] = x [rows, in] W^T + b}. */
  static float[] linear(float[] x, int rows, int in, ReferenceWeight w) {
    int out = w.outputs();
    float[] y = new float[Math.multiplyExact(rows, out)];
    for (int r = 0; r < rows; r++) {
      w.bias(y, r * out);
      accumulate(x, r * in, in, w, 0, y, r * out);
    }
    return y;
  }

  /** {@code [b, oh, ow, out] = conv(x [b, h, w, in]) + b}. */
  static float[] conv2d(float[] x, Shape in, ReferenceWeight w, Conv2dGeometry g, Shape out) {
    int height = in.size(1);
    int width = in.size(2);
    int channels = in.size(3);
    int kh = w.shape().size(2);
    int kw = w.shape().size(3);
    int n = w.outputs();
    float[] y = new float[Math.toIntExact(out.elements())];
    int at = 0;
    for (int b = 0; b < in.size(0); b++) {
      for (int oy = 0; oy < out.size(1); oy++) {
        for (int ox = 0; ox < out.size(2); ox++, at += n) {
          w.bias(y, at);
          for (int ky = 0; ky < kh; ky++) {
            int iy = oy * g.stride() - g.top() + ky;
            if (iy < 0 || iy >= height) {
              continue;
            }
            for (int kx = 0; kx < kw; kx++) {
              int ix = ox * g.stride() - g.left() + kx;
              if (ix < 0 || ix >= width) {
                continue;
              }
              int from = ((b * height + iy) * width + ix) * channels;
              accumulate(x, from, channels, w, (ky * kw + kx) * channels, y, at);
            }
          }
        }
      }
    }
    return y;
  }

  /**
   * Adds {@code sum_i x[i] * w[firstInput + i][o]} to each output o. Four inputs at a time, so that
   * the outputs are loaded and stored less often.
   */
  private static void accumulate(
      float[] x, int from, int inputs, ReferenceWeight w, int firstInput, float[] y, int at) {
    float[] v = w.values();
    int spacing = w.spacing();
    int outputs = w.outputs();
    int w0 = firstInput * spacing + w.firstRow();
    int i = 0;
    for (; i + 4 <= inputs; i += 4, w0 += 4 * spacing) {
      fourInputs(x, from + i, v, w0, spacing, y, at, outputs);
    }
    for (; i < inputs; i++, w0 += spacing) {
      float a = x[from + i];
      for (int o = 0; o < outputs; o++) {
        y[at + o] += a * v[w0 + o];
      }
    }
  }

  private static void fourInputs(
      float[] x, int from, float[] v, int w0, int spacing, float[] y, int at, int outputs) {
    float a = x[from];
    float b = x[from + 1];
    float c = x[from + 2];
    float d = x[from + 3];
    int w1 = w0 + spacing;
    int w2 = w1 + spacing;
    int w3 = w2 + spacing;
    for (int o = 0; o < outputs; o++) {
      y[at + o] += (a * v[w0 + o] + b * v[w1 + o]) + (c * v[w2 + o] + d * v[w3 + o]);
    }
  }
}
