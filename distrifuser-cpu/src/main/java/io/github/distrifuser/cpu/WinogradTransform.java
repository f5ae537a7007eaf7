package io.github.distrifuser.cpu;

/**
 * The linear maps of Winograd's minimal filtering F(4 x 4, 3 x 3) (Lavin and Gray, 2016) with the
 * points 0, a, -a, b, -b and infinity: an output tile of 4 x 4 comes from an input tile of 6 x 6
 * with 36 multiplications a channel pair in place of 144. Each map works on vectors of channels;
 * loops have one target each, so that they vectorise.
 *
 * <p>Points whose powers and differences are of like size keep rounding errors small: a = 5/8 and b
 * = 3/2 give half the error of 1 and 2.
 */
final class WinogradTransform {
  /** Rows and columns of an output tile. */
  static final int OUT = 4;

  /** Rows and columns of an input tile, and of the transformed tile. */
  static final int IN = OUT + 2;

  /** Products of a tile for each pair of channels. */
  static final int PRODUCTS = IN * IN;

  private static final float A = 0.625f;
  private static final float B = 1.5f;
  private static final float A2 = A * A;
  private static final float B2 = B * B;

  /** 1 over each point's product of differences from the other points. */
  private static final float N0 = 1 / (A2 * B2);

  private static final float NA = 1 / (2 * A2 * (A2 - B2));
  private static final float NB = 1 / (2 * B2 * (B2 - A2));

  private WinogradTransform() {}

  /**
   * One of the six transformed vectors of six input vectors, of which vector {@code i} begins at
   * {@code from + i * step}.
   */
  static void input(int row, float[] x, int from, int step, float[] y, int to, int n) {
    int x1 = from + step;
    int x2 = x1 + step;
    int x3 = x2 + step;
    int x4 = x3 + step;
    switch (row) {
      case 0 -> three(x, from, A2 * B2, x2, -(A2 + B2), x4, y, to, n);
      case 1 -> four(x, x1, -A * B2, x2, -B2, x3, A, x4, y, to, n);
      case 2 -> four(x, x1, A * B2, x2, -B2, x3, -A, x4, y, to, n);
      case 3 -> four(x, x1, -A2 * B, x2, -A2, x3, B, x4, y, to, n);
      case 4 -> four(x, x1, A2 * B, x2, -A2, x3, -B, x4, y, to, n);
      case 5 -> three(x, x1, A2 * B2, x3, -(A2 + B2), x4 + step, y, to, n);
      default -> throw new IllegalArgumentException("row " + row);
    }
  }

  /** One of the six transformed vectors of three vectors of a filter, laid out as above. */
  static void filter(int row, float[] x, int from, int step, float[] y, int to, int n) {
    int x1 = from + step;
    int x2 = x1 + step;
    switch (row) {
      case 0 -> filter(x, from, N0, x1, 0, x2, 0, y, to, n);
      case 1 -> filter(x, from, NA, x1, NA * A, x2, NA * A2, y, to, n);
      case 2 -> filter(x, from, NA, x1, -NA * A, x2, NA * A2, y, to, n);
      case 3 -> filter(x, from, NB, x1, NB * B, x2, NB * B2, y, to, n);
      case 4 -> filter(x, from, NB, x1, -NB * B, x2, NB * B2, y, to, n);
      case 5 -> filter(x, from, 0, x1, 0, x2, 1, y, to, n);
      default -> throw new IllegalArgumentException("row " + row);
    }
  }

  /**
   * Adds one of the four output vectors of six products, laid out as above, to what the target
   * holds.
   */
  static void addOutput(int row, float[] x, int from, int step, float[] y, int to, int n) {
    int pa = from + step;
    int na = pa + step;
    int pb = na + step;
    int nb = pb + step;
    switch (row) {
      case 0 -> sums(x, from, pa, na, pb, nb, y, to, n);
      case 1 -> differences(x, pa, na, A, pb, nb, B, y, to, n);
      case 2 -> evens(x, pa, na, A2, pb, nb, B2, y, to, n);
      case 3 -> lasts(x, pa, na, A * A2, pb, nb, B * B2, nb + step, y, to, n);
      default -> throw new IllegalArgumentException("row " + row);
    }
  }

  private static void three(
      float[] x, int x0, float c0, int x1, float c1, int x2, float[] y, int to, int n) {
    for (int i = 0; i < n; i++) {
      y[to + i] = c0 * x[x0 + i] + c1 * x[x1 + i] + x[x2 + i];
    }
  }

  private static void four(
      float[] x,
      int x0,
      float c0,
      int x1,
      float c1,
      int x2,
      float c2,
      int x3,
      float[] y,
      int to,
      int n) {
    for (int i = 0; i < n; i++) {
      y[to + i] = (c0 * x[x0 + i] + c2 * x[x2 + i]) + (c1 * x[x1 + i] + x[x3 + i]);
    }
  }

  private static void filter(
      float[] x, int x0, float c0, int x1, float c1, int x2, float c2, float[] y, int to, int n) {
    for (int i = 0; i < n; i++) {
      y[to + i] = c0 * x[x0 + i] + c1 * x[x1 + i] + c2 * x[x2 + i];
    }
  }

  private static void sums(
      float[] x, int x0, int pa, int na, int pb, int nb, float[] y, int to, int n) {
    for (int i = 0; i < n; i++) {
      y[to + i] += x[x0 + i] + (x[pa + i] + x[na + i]) + (x[pb + i] + x[nb + i]);
    }
  }

  private static void differences(
      float[] x, int pa, int na, float ca, int pb, int nb, float cb, float[] y, int to, int n) {
    for (int i = 0; i < n; i++) {
      y[to + i] += ca * (x[pa + i] - x[na + i]) + cb * (x[pb + i] - x[nb + i]);
    }
  }

  private static void evens(
      float[] x, int pa, int na, float ca, int pb, int nb, float cb, float[] y, int to, int n) {
    for (int i = 0; i < n; i++) {
      y[to + i] += ca * (x[pa + i] + x[na + i]) + cb * (x[pb + i] + x[nb + i]);
    }
  }

  private static void lasts(
      float[] x,
      int pa,
      int na,
      float ca,
      int pb,
      int nb,
      float cb,
      int last,
      float[] y,
      int to,
      int n) {
    for (int i = 0; i < n; i++) {
      y[to + i] += ca * (x[pa + i] - x[na + i]) + cb * (x[pb + i] - x[nb + i]) + x[last + i];
    }
  }
}
