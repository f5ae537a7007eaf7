package io.github.distrifuser.cpu;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;

/** Rows of numbers at an address, one distance apart. */
record Matrix(long address, DType dtype, long rows, long columns, long stride) {

  /**
   * All but the last dimension as rows.
   *
   * @return null where the rows have more than one distance
   */
  static @org.jspecify.annotations.Nullable Matrix of(Tensor t) {
    int rank = t.shape().rank();
    long columns = t.shape().dim(-1);
    long rows = 1;
    long stride = columns;
    boolean found = false;
    for (int i = rank - 2; i >= 0; i--) {
      if (t.shape().dim(i) == 1) {
        continue;
      }
      if (!found) {
        stride = t.stride(i);
        found = true;
      } else if (t.stride(i) != stride * rows) {
        return null;
      }
      rows *= t.shape().dim(i);
    }
    return new Matrix(t.address(), t.dtype(), rows, columns, stride);
  }

  boolean sameLayout(Matrix o) {
    return address == o.address && stride == o.stride && dtype == o.dtype;
  }

  Md md() {
    return Md.strided(dtype, new long[] {rows, columns}, new long[] {stride, 1});
  }

  /** Rows {@code [from, from + n)}. */
  Matrix rows(long from, long n) {
    return new Matrix(address + from * stride * dtype.bytes(), dtype, n, columns, stride);
  }
}
