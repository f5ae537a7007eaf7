package io.github.distrifuser.cuda;

import io.github.distrifuser.tensor.Tensor;

/**
 * A tensor {@code [.., c]} as batches of equally spaced rows, in elements.
 *
 * @param batches of rows
 * @param rows in each
 * @param channels adjacent elements of a row
 * @param batchStride between first rows of batches
 * @param rowStride between rows
 */
record RowView(long batches, long rows, int channels, long batchStride, long rowStride) {

  /** As the tensor is, dimension 0 being the batch. */
  static RowView of(Tensor t) {
    int rank = t.shape().rank();
    int channels = t.size(-1);
    if (rank == 1) {
      return new RowView(1, 1, channels, channels, channels);
    }
    long batches = t.shape().dim(0);
    long rows = 1;
    long rowStride = channels;
    for (int i = rank - 2; i >= 1; i--) {
      if (rows == 1 && t.shape().dim(i) != 1) {
        rowStride = t.stride(i);
      }
      rows *= t.shape().dim(i);
    }
    return new RowView(batches, rows, channels, t.stride(0), rowStride);
  }

  /** Whether all rows of all batches are at one distance. */
  boolean isUniform() {
    return batches == 1 || rows == 1 || batchStride == rows * rowStride;
  }

  /** All rows as one batch; only where they are {@linkplain #isUniform() uniform}. */
  RowView merged() {
    long step = rows == 1 && batches > 1 ? batchStride : rowStride;
    return new RowView(1, batches * rows, channels, batches * rows * step, step);
  }

  /** Rows of all batches. */
  long allRows() {
    return batches * rows;
  }
}
