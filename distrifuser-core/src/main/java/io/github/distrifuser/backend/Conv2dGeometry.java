package io.github.distrifuser.backend;

/**
 * Stride and zero padding of a two-dimensional convolution, in pixels.
 *
 * @param stride step in both directions
 * @param top rows of zeros above
 * @param bottom rows of zeros below
 * @param left columns of zeros
 * @param right columns of zeros
 */
public record Conv2dGeometry(int stride, int top, int bottom, int left, int right) {

  public Conv2dGeometry {
    if (stride < 1 || top < 0 || bottom < 0 || left < 0 || right < 0) {
      throw new IllegalArgumentException("impossible convolution geometry");
    }
  }

  /** The same padding on all four sides. */
  public static Conv2dGeometry of(int stride, int padding) {
    return new Conv2dGeometry(stride, padding, padding, padding, padding);
  }

  /** The same columns, other rows: for patches that bring their neighbours' rows with them. */
  public Conv2dGeometry withRows(int newTop, int newBottom) {
    return new Conv2dGeometry(stride, newTop, newBottom, left, right);
  }

  /** Rows of the output for an input of {@code height} rows under a kernel of {@code k} rows. */
  public int outHeight(int height, int k) {
    return (height + top + bottom - k) / stride + 1;
  }

  /** Columns of the output for an input of {@code width} columns under {@code k} columns. */
  public int outWidth(int width, int k) {
    return (width + left + right - k) / stride + 1;
  }
}
