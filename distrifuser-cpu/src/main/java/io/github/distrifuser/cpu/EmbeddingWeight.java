package io.github.distrifuser.cpu;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;

/** A table of rows, read where it lies in its file. */
final class EmbeddingWeight extends NativeWeight {
  private final ByteBuffer data; // [entries, width]
  private final DType dtype;

  EmbeddingWeight(String name, WeightTensor table) {
    super(name, table.shape());
    if (table.shape().rank() != 2) {
      throw new IllegalArgumentException(
          table.source() + ": " + table.name() + ": expected 2 dimensions, found " + table.shape());
    }
    data = table.data();
    dtype = table.dtype();
  }

  /** Elements {@code [from, from + n)} of one row. */
  void read(int row, int from, float[] target, int n) {
    checkOpen();
    read(dtype, data, Math.toIntExact(row * shape().dim(1) + from), target, n);
  }

  @Override
  public long bytes() {
    return shape().elements() * dtype.bytes();
  }
}
