package io.github.distrifuser.tensor;

import java.util.NoSuchElementException;

/**
 * A tensor's elements as unbroken runs of memory, in row-major order: one for a dense tensor, one a
 * batch where the batches have gaps, one a row for a column slice.
 */
public final class Runs {
  private final Tensor tensor;
  private final int outer; // dimensions before the dense ones
  private final long length;
  private final long count;
  private final long[] index;
  private long position;
  private long next; // element offset of the next run

  private Runs(Tensor tensor) {
    this.tensor = tensor;
    int rank = tensor.shape().rank();
    int dense = rank;
    while (dense > 0 && tensor.isDenseFrom(dense - 1)) {
      dense--;
    }
    this.outer = dense;
    long inner = 1;
    for (int i = dense; i < rank; i++) {
      inner *= tensor.shape().dim(i);
    }
    long runs = 1;
    for (int i = 0; i < dense; i++) {
      runs *= tensor.shape().dim(i);
    }
    this.length = inner;
    this.count = tensor.shape().elements() == 0 ? 0 : runs;
    this.index = new long[dense];
    this.next = tensor.byteOffset() / tensor.dtype().bytes();
  }

  /** The runs of a tensor. */
  public static Runs of(Tensor tensor) {
    return new Runs(tensor);
  }

  /** Elements in each run. */
  public long length() {
    return length;
  }

  /** Number of runs; 0 for a tensor without elements. */
  public long count() {
    return count;
  }

  public boolean hasNext() {
    return position < count;
  }

  /** First element of the next run, counted in elements from the start of the storage. */
  public long next() {
    if (!hasNext()) {
      throw new NoSuchElementException("all " + count + " runs were read");
    }
    long start = next;
    position++;
    for (int d = outer - 1; d >= 0; d--) {
      next += tensor.stride(d);
      if (++index[d] < tensor.shape().dim(d)) {
        break;
      }
      next -= index[d] * tensor.stride(d);
      index[d] = 0;
    }
    return start;
  }
}
