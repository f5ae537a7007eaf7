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
    OutputSums sums = new OutputSums(w);
    for (int r = 0; r < rows; r++) {
      sums.begin();
      sums.add(x, r * in, in, 0);
      sums.store(y, r * out);
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
    OutputSums sums = new OutputSums(w);
    int at = 0;
    for (int b = 0; b < in.size(0); b++) {
      for (int oy = 0; oy < out.size(1); oy++) {
        for (int ox = 0; ox < out.size(2); ox++, at += n) {
          sums.begin();
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
              sums.add(x, from, channels, (ky * kw + kx) * channels);
            }
          }
          sums.store(y, at);
        }
      }
    }
    return y;
  }
}
