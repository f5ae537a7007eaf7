package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.Conv2dGeometry;
import java.util.ArrayList;
import java.util.List;

/**
 * Rows {@code [outFrom, outTo)} of a convolution's output and what they are computed from.
 *
 * @param geometry padding that is left for these rows
 */
record RowBand(int inFrom, int inTo, int outFrom, int outTo, Conv2dGeometry geometry) {

  /**
   * Cuts a convolution into bands of about equal height.
   *
   * @param height rows of the input
   * @param outHeight rows of the output
   * @param kernel rows of the kernel
   * @param mostIn rows of the input in a band, unless one row of the output needs more
   * @param mostOut rows of the output in a band, at least one
   */
  static List<RowBand> of(
      int height, int outHeight, int kernel, Conv2dGeometry g, long mostIn, long mostOut) {
    long fit = Math.min(mostOut, (mostIn - kernel) / g.stride() + 1);
    int most = (int) Math.max(1, Math.min(fit, outHeight));
    int count = (outHeight + most - 1) / most;
    int rows = (outHeight + count - 1) / count;
    List<RowBand> bands = new ArrayList<>();
    for (int from = 0; from < outHeight; from += rows) {
      int to = Math.min(outHeight, from + rows);
      int first = from * g.stride() - g.top(); // above the image where negative
      int end = (to - 1) * g.stride() - g.top() + kernel;
      bands.add(
          new RowBand(
              Math.max(0, first),
              Math.min(height, end),
              from,
              to,
              g.withRows(Math.max(0, -first), Math.max(0, end - height))));
    }
    return bands;
  }
}
