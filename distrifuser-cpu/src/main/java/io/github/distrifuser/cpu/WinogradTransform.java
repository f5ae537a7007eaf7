package io.github.distrifuser.cpu;

/**
 * The linear maps of Winograd's minimal filtering F(4 x 4, 3 x 3) (Lavin and Gray, 2016) with the
 * points 0, a, -a, b, -b and infinity: an output tile of 4 x 4 comes from an input tile of 6 x 6
 * with 36 multiplications for each pair of channels in place of 144. Points whose powers and
 * differences are of like size keep rounding errors small: a = 5/8 and b = 3/2 give half the error
 * of 1 and 2.
 *
 * <p>Each map makes one vector of several. All arrays of a loop have the same index, which is what
 * Java's compiler needs in order to use vector instructions.
 */
final class WinogradTransform {
  /** Rows and columns of an output tile. */
  static final int OUT = 4;

  /** Rows and columns of an input tile, and of the transformed tile. */
  static final int IN = OUT + 2;

  /** Rows and columns of a filter. */
  static final int TAPS = 3;

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

  /** The n elements of one of the six transformed vectors of six input vectors. */
  static void input(int row, float[][] x, float[] y, int n) {
    switch (row) {
      case 0 -> sum(x[0], A2 * B2, x[2], -(A2 + B2), x[4], y, n);
      case 1 -> sum(x[1], -A * B2, x[2], -B2, x[3], A, x[4], y, n);
      case 2 -> sum(x[1], A * B2, x[2], -B2, x[3], -A, x[4], y, n);
      case 3 -> sum(x[1], -A2 * B, x[2], -A2, x[3], B, x[4], y, n);
      case 4 -> sum(x[1], A2 * B, x[2], -A2, x[3], -B, x[4], y, n);
      case 5 -> sum(x[1], A2 * B2, x[3], -(A2 + B2), x[5], y, n);
      default -> throw new IllegalArgumentException("row " + row);
    }
  }

  /** The n elements of one of the six transformed vectors of a filter's three. */
  static void filter(int row, float[][] x, float[] y, int n) {
    switch (row) {
      case 0 -> filter(x, N0, 0, 0, y, n);
      case 1 -> filter(x, NA, NA * A, NA * A2, y, n);
      case 2 -> filter(x, NA, -NA * A, NA * A2, y, n);
      case 3 -> filter(x, NB, NB * B, NB * B2, y, n);
      case 4 -> filter(x, NB, -NB * B, NB * B2, y, n);
      case 5 -> filter(x, 0, 0, 1, y, n);
      default -> throw new IllegalArgumentException("row " + row);
    }
  }

  /** The n elements of one of the four output vectors of six vectors of products, plus a base. */
  static void output(int row, float[][] x, float[] base, float[] y, int n) {
    switch (row) {
      case 0 -> {
        even(x, 1, 1, base, y, n);
        add(x[0], y, n);
      }
      case 1 -> odd(x, A, B, base, y, n);
      case 2 -> even(x, A2, B2, base, y, n);
      case 3 -> {
        odd(x, A * A2, B * B2, base, y, n);
        add(x[5], y, n);
      }
      default -> throw new IllegalArgumentException("row " + row);
    }
  }

  private static void sum(float[] a, float ca, float[] b, float cb, float[] c, float[] y, int n) {
    for (int i = 0; i < n; i++) {
      y[i] = ca * a[i] + cb * b[i] + c[i];
    }
  }

  private static void sum(
      float[] a, float ca, float[] b, float cb, float[] c, float cc, float[] d, float[] y, int n) {
    for (int i = 0; i < n; i++) {
      y[i] = (ca * a[i] + cc * c[i]) + (cb * b[i] + d[i]);
    }
  }

  private static void filter(float[][] x, float ca, float cb, float cc, float[] y, int n) {
    float[] a = x[0];
    float[] b = x[1];
    float[] c = x[2];
    for (int i = 0; i < n; i++) {
      y[i] = ca * a[i] + cb * b[i] + cc * c[i];
    }
  }

  private static void even(float[][] x, float ca, float cb, float[] base, float[] y, int n) {
    float[] a = x[1];
    float[] b = x[2];
    float[] c = x[3];
    float[] d = x[4];
    for (int i = 0; i < n; i++) {
      y[i] = base[i] + ca * (a[i] + b[i]) + cb * (c[i] + d[i]);
    }
  }

  private static void odd(float[][] x, float ca, float cb, float[] base, float[] y, int n) {
    float[] a = x[1];
    float[] b = x[2];
    float[] c = x[3];
    float[] d = x[4];
    for (int i = 0; i < n; i++) {
      y[i] = base[i] + ca * (a[i] - b[i]) + cb * (c[i] - d[i]);
    }
  }

  /** Adds a vector to another. */
  static void add(float[] x, float[] y, int n) {
    for (int i = 0; i < n; i++) {
      y[i] += x[i];
    }
  }
}
