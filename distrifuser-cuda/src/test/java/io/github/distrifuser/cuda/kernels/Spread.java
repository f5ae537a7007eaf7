package io.github.distrifuser.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.tensor.DType;
import java.util.Arrays;

/**
 * Rows of a tensor with gaps between rows and batches, after some elements that belong to others.
 *
 * @param batch number of batches
 * @param rows of a batch
 * @param channels of a row
 * @param rowGap elements after each row
 * @param batchGap elements after each batch's last row and its gap
 * @param skip elements before the first
 */
record Spread(int batch, int rows, int channels, int rowGap, int batchGap, int skip) {
  /** In the gaps: what no kernel may read into a result, nor overwrite. */
  private static final float GAP = Float.NaN;

  static Spread dense(int batch, int rows, int channels) {
    return new Spread(batch, rows, channels, 0, 0, 0);
  }

  long rowStride() {
    return channels + rowGap;
  }

  long batchStride() {
    return rows * rowStride() + batchGap;
  }

  int elements() {
    return batch * rows * channels;
  }

  /** Memory that ends with the last element. */
  Memory memory(DType dtype, float[] dense) {
    assertEquals(elements(), dense.length);
    float[] all = new float[dense.length == 0 ? skip : at(batch - 1, rows - 1) + channels];
    Arrays.fill(all, GAP);
    for (int b = 0; b < batch; b++) {
      for (int r = 0; r < rows; r++) {
        System.arraycopy(dense, (b * rows + r) * channels, all, at(b, r), channels);
      }
    }
    return Memory.of(dtype, all, skip);
  }

  /** Memory to be written, NaN everywhere. */
  Memory output(DType dtype) {
    float[] none = new float[elements()];
    Arrays.fill(none, GAP);
    return memory(dtype, none);
  }

  private int at(int b, int r) {
    return (int) (skip + b * batchStride() + r * rowStride());
  }

  /** The rows one after another; the gaps must be as they were. */
  float[] gather(float[] all) {
    float[] gaps = all.clone();
    float[] dense = new float[elements()];
    for (int b = 0; b < batch; b++) {
      for (int r = 0; r < rows; r++) {
        System.arraycopy(all, at(b, r), dense, (b * rows + r) * channels, channels);
        Arrays.fill(gaps, at(b, r), at(b, r) + channels, GAP);
      }
    }
    for (int i = 0; i < gaps.length; i++) {
      assertEquals(GAP, gaps[i], "gap at " + i + " of " + this);
    }
    return dense;
  }
}
