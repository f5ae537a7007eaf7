package io.github.distrifuser.parallel;

import io.github.distrifuser.tensor.NdArray;

/**
 * A box of a batch of latents: entries {@code [batch0, batch1)}, rows {@code [row0, row1)}, columns
 * {@code [col0, col1)}.
 */
public record Region(int batch0, int batch1, int row0, int row1, int col0, int col1) {

  /** Number of pixels, all entries together. */
  public long pixels() {
    return (long) (batch1 - batch0) * (row1 - row0) * (col1 - col0);
  }

  /** The box cut out of {@code [n, c, h, w]}. */
  public NdArray cut(NdArray from) {
    int c = from.size(1);
    int w = col1 - col0;
    NdArray out = NdArray.zeros(batch1 - batch0, c, row1 - row0, w);
    int at = 0;
    for (int b = batch0; b < batch1; b++) {
      for (int k = 0; k < c; k++) {
        for (int y = row0; y < row1; y++) {
          int src = ((b * c + k) * from.size(2) + y) * from.size(3) + col0;
          System.arraycopy(from.data(), src, out.data(), at, w);
          at += w;
        }
      }
    }
    return out;
  }

  /** Puts values {@code [b, h, w, c]} of the box into {@code [n, c, h, w]}. */
  void paste(float[] channelsLast, NdArray into) {
    int c = into.size(1);
    int at = 0;
    for (int b = batch0; b < batch1; b++) {
      for (int y = row0; y < row1; y++) {
        for (int x = col0; x < col1; x++) {
          for (int k = 0; k < c; k++) {
            into.data()[((b * c + k) * into.size(2) + y) * into.size(3) + x] = channelsLast[at++];
          }
        }
      }
    }
  }
}
