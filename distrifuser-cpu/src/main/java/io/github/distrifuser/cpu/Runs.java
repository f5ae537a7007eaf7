package io.github.distrifuser.cpu;

import io.github.distrifuser.tensor.Tensor;

/** The longest runs that lie unbroken in each of several tensors of one shape. */
final class Runs {
  private final long length;
  private final long[] outer; // dimensions before the runs
  private final long[][] strides;
  private final long elements;

  Runs(Tensor... tensors) {
    int rank = tensors[0].shape().rank();
    int from = rank;
    long n = 1;
    while (from > 0 && denseFrom(tensors, from - 1)) {
      from--;
      n *= tensors[0].shape().dim(from);
    }
    length = n;
    outer = new long[from];
    strides = new long[tensors.length][from];
    for (int d = 0; d < from; d++) {
      outer[d] = tensors[0].shape().dim(d);
      for (int t = 0; t < tensors.length; t++) {
        strides[t][d] = tensors[t].stride(d);
      }
    }
    elements = tensors[0].shape().elements();
  }

  private static boolean denseFrom(Tensor[] tensors, int dim) {
    for (Tensor t : tensors) {
      if (!t.isDenseFrom(dim)) {
        return false;
      }
    }
    return true;
  }

  /** Elements in all runs together. */
  long elements() {
    return elements;
  }

  /** Elements that follow a position (counted in row-major order) in its run, itself included. */
  long remaining(long position) {
    return length - position % length;
  }

  /** Where a position lies in one of the tensors, in elements from its first. */
  long offset(int tensor, long position) {
    long run = position / length;
    long at = position - run * length;
    for (int d = outer.length - 1; d >= 0; d--) {
      long q = run / outer[d];
      at += (run - q * outer[d]) * strides[tensor][d];
      run = q;
    }
    return at;
  }
}
