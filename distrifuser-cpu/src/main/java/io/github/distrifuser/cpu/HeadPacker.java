package io.github.distrifuser.cpu;

import io.github.distrifuser.tensor.DType;

/**
 * Copies keys or values of all heads into the layout that a matrix product reads fastest, one block
 * of tokens after the other. It stands for the second operand {@code [heads, in, out]} of a batched
 * product: for keys {@code in} is the head's channels and {@code out} the block's tokens, for
 * values the other way round.
 */
final class HeadPacker {
  private final BlockedLayout layout;
  private final int heads;
  private final int size; // elements of one head, padding included
  private final long headStride;
  private final int[] channelAt;
  private final int[] tokenAt;

  /**
   * @param layout of {@code [heads, in, out]}
   * @param keys whether channels are the product's inner dimension
   */
  HeadPacker(BlockedLayout layout, boolean keys) {
    this.layout = layout;
    this.heads = Math.toIntExact(layout.paddedDims().get(0));
    this.size = Math.toIntExact(layout.elements() / heads);
    this.headStride = layout.strides().get(0);
    this.channelAt = layout.offsets(keys ? 1 : 2);
    this.tokenAt = layout.offsets(keys ? 2 : 1);
    if (heads > 1 && headStride != size) {
      throw new IllegalStateException("heads that don't follow each other in " + layout);
    }
  }

  /** Elements of one block of tokens, all heads. */
  long elements() {
    return layout.elements();
  }

  /**
   * Packs one head of one block.
   *
   * @param source {@code [tokens, heads * d]} of one batch entry
   * @param from first element of the block's first token
   * @param slot which of the layout's heads it becomes
   * @param ones whether to append a channel of ones to each token
   * @param to element of the target at which the block begins
   */
  void pack(
      HostView source,
      long from,
      long tokenStride,
      int tokens,
      int head,
      int slot,
      int d,
      boolean ones,
      HostView target,
      long to) {
    long first = from + (long) head * d;
    long place = to + slot * headStride;
    if (source.dtype() == DType.F32) {
      float[] row = new float[d + 1];
      row[d] = 1;
      int n = ones ? d + 1 : d;
      float[] packed = new float[size];
      for (int t = 0; t < tokens; t++) {
        source.readFloats(first + t * tokenStride, row, d);
        int at = tokenAt[t];
        for (int c = 0; c < n; c++) {
          packed[at + channelAt[c]] = row[c];
        }
      }
      target.writeFloats(place, packed, size);
    } else {
      short[] row = new short[d + 1];
      row[d] = NativeWeight.fromFloat(source.dtype(), 1);
      int n = ones ? d + 1 : d;
      short[] packed = new short[size];
      for (int t = 0; t < tokens; t++) {
        source.readWords(first + t * tokenStride, row, d);
        int at = tokenAt[t];
        for (int c = 0; c < n; c++) {
          packed[at + channelAt[c]] = row[c];
        }
      }
      target.writeWords(place, packed, size);
    }
  }
}
