package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.tensor.Tensor;

/**
 * A message's bytes where they lie on the device: for each entry of dimension 0 a run of equal
 * length. Both ends of a message have the same shape, and so the same runs.
 */
record Runs(long address, int count, long bytes, long distance) {

  /**
   * A tensor's.
   *
   * @throws IllegalArgumentException where it has gaps within an entry of dimension 0
   */
  static Runs of(Tensor t) {
    if (!t.isDenseFrom(1)) {
      throw new IllegalArgumentException("gaps within dimension 0 of the message " + t);
    }
    int entries = t.shape().rank() == 0 ? 1 : t.size(0);
    long bytes = entries == 0 ? 0 : t.byteSize() / entries;
    long distance = entries <= 1 ? bytes : t.stride(0) * t.dtype().bytes();
    return new Runs(t.address(), entries, bytes, distance);
  }

  /** Address of a run's first byte. */
  long at(int run) {
    return address + run * distance;
  }

  /** Whether another message has runs of the same number and length. */
  boolean isLike(Runs other) {
    return count == other.count && bytes == other.bytes;
  }

  long total() {
    return count * bytes;
  }
}
