package io.github.distrifuser.random;

import io.github.distrifuser.tensor.DType;

/**
 * A seeded stream of random numbers, as {@code torch.Generator}: each draw goes on where the last
 * one ended. Not safe for use by several threads at once.
 */
public interface Generator {

  /** The seed that this stream began with. */
  long initialSeed();

  /**
   * Standard normal numbers, as {@code torch.randn(shape, generator=g, dtype=dtype)}.
   *
   * @param dtype type in which torch would hold the result: F32, F16 or BF16. Drawing in a 16-bit
   *     type may consume the stream differently from F32.
   * @param shape dimensions of the result; none gives one number
   * @return the numbers in row-major order, already rounded to {@code dtype}
   * @throws IllegalArgumentException for another type, a negative dimension or more elements than
   *     an array holds
   */
  float[] randn(DType dtype, long... shape);

  /** Standard normal numbers in float32, as {@code torch.randn(shape, generator=g)}. */
  default float[] randn(long... shape) {
    return randn(DType.F32, shape);
  }
}
