package io.github.distrifuser.weights;

import io.github.distrifuser.tensor.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Cuts weights into the parts that ranks hold. */
public final class WeightSlices {
  private WeightSlices() {}

  /**
   * Entries {@code [from, to)} of dimension 0 (a layer's outputs): a view of the same bytes.
   *
   * @param t {@code [out, ..]}
   */
  public static WeightTensor rows(WeightTensor t, long from, long to) {
    check(t, 0, from, to);
    long row = t.data().remaining() / Math.max(1, t.shape().dim(0)); // bytes
    ByteBuffer part = t.data().slice((int) (from * row), (int) ((to - from) * row));
    return new WeightTensor(t.name(), t.source(), t.dtype(), t.shape().with(0, to - from), part);
  }

  /**
   * Entries {@code [from, to)} of dimension 1 (a layer's inputs): a copy.
   *
   * @param t {@code [out, in]} or {@code [out, in, kh, kw]}
   */
  public static WeightTensor columns(WeightTensor t, long from, long to) {
    check(t, 1, from, to);
    int rows = t.shape().size(0);
    ByteBuffer source = t.data();
    int row = source.remaining() / Math.max(1, rows); // bytes
    int column = row / Math.max(1, t.shape().size(1));
    int length = Math.toIntExact((to - from) * column);
    Shape shape = t.shape().with(1, to - from);
    ByteBuffer part =
        ByteBuffer.allocateDirect(Math.multiplyExact(rows, length)).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < rows; i++) {
      part.put(i * length, source, (int) (i * (long) row + from * column), length);
    }
    return new WeightTensor(t.name(), t.source(), t.dtype(), shape, part);
  }

  private static void check(WeightTensor t, int dim, long from, long to) {
    if (t.shape().rank() <= dim || from < 0 || to < from || to > t.shape().dim(dim)) {
      throw new IndexOutOfBoundsException(
          "%s: %s: entries [%d, %d) of dimension %d of %s"
              .formatted(t.source(), t.name(), from, to, dim, t.shape()));
    }
  }
}
