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
    return from.box(batch0, batch1, row0, row1, col0, col1);
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
