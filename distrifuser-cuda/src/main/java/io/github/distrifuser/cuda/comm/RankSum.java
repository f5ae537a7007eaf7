package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.cuda.CudaContext;
import io.github.distrifuser.cuda.CudaStream;
import io.github.distrifuser.tensor.DType;

/** Sums over ranks, in rank order and in float32, rounded once. */
final class RankSum {
  private RankSum() {}

  /**
   * Adds up parts that lie one after another.
   *
   * @param parts address of the first
   * @param n elements of each
   */
  static void add(
      CudaContext context,
      CudaStream stream,
      DType dtype,
      long parts,
      long n,
      int ranks,
      long out) {
    add(context, stream, dtype, parts, n, n, ranks, out);
  }

  /**
   * Adds up the beginnings of parts.
   *
   * @param n elements that are added
   * @param distance elements from one part to the next
   */
  static void add(
      CudaContext context,
      CudaStream stream,
      DType dtype,
      long parts,
      long n,
      long distance,
      int ranks,
      long out) {
    context
        .kernel("sumParts", dtype)
        .pointer(parts)
        .pointer(out)
        .i64(n, distance)
        .i32(ranks)
        .elements(stream, n);
  }
}
