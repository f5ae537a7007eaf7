package io.github.distrifuser.cuda;

import io.github.distrifuser.tensor.Tensor;
import java.util.Arrays;

/** Sizes and strides of tensors as the copying kernels take them: five of each. */
final class Strides {
  private static final int RANK = 5;

  private Strides() {}

  /** Sizes, ones in front. */
  static long[] dims(Tensor t) {
    check(t);
    long[] d = new long[RANK];
    Arrays.fill(d, 1);
    int lead = RANK - t.shape().rank();
    for (int i = 0; i < t.shape().rank(); i++) {
      d[lead + i] = t.shape().dim(i);
    }
    return d;
  }

  /** Strides in elements, zeros in front. */
  static long[] of(Tensor t) {
    check(t);
    long[] s = new long[RANK];
    int lead = RANK - t.shape().rank();
    for (int i = 0; i < t.shape().rank(); i++) {
      s[lead + i] = t.stride(i);
    }
    return s;
  }

  /** Strides of a dense tensor of these sizes. */
  static long[] dense(long[] dims) {
    long[] s = new long[RANK];
    long n = 1;
    for (int i = RANK - 1; i >= 0; i--) {
      s[i] = n;
      n *= dims[i];
    }
    return s;
  }

  private static void check(Tensor t) {
    if (t.shape().rank() > RANK) {
      throw new IllegalArgumentException("at most " + RANK + " dimensions, found " + t);
    }
  }
}
