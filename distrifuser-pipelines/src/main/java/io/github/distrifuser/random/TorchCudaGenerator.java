package io.github.distrifuser.random;

import io.github.distrifuser.tensor.DType;

/**
 * {@code torch.Generator("cuda").manual_seed(seed)}, computed on the host: Philox4x32-10 and
 * cuRAND's Box-Muller, dealt out to elements as torch's distribution kernel does it, in which every
 * GPU thread has a subsequence of its own.
 *
 * <p>Up to as many elements as the GPU runs threads, a draw is the same on all of them; beyond, a
 * thread makes several elements, and the GPU's size matters ({@link #TorchCudaGenerator(long, int,
 * int)}).
 *
 * <p>Checked against Random123's known answers and against published draws of twelve elements, to
 * 1e-6; larger draws and further draws of a stream follow torch's source and have not been compared
 * with a GPU. A GPU's fast sine and cosine differ from these by some 1e-6.
 */
public final class TorchCudaGenerator implements Generator {
  private static final int BLOCK = 256; // threads of a block
  private static final int PER_CALL = 4; // numbers that a thread draws at once
  private static final float INVERSE = 0x1p-32f;
  private static final float INVERSE_TWO_PI = 0x1p-32f * 6.2831855f;

  private final long seed;
  private final long maxBlocks;
  private long calls; // of Philox, in every thread

  /** A stream as on an A100: 108 multiprocessors of 2048 threads. */
  public TorchCudaGenerator(long seed) {
    this(seed, 108, 2048);
  }

  /**
   * A stream as on a GPU of this size.
   *
   * @param multiprocessors their number, 132 on an H100 SXM
   * @param threadsPerMultiprocessor most threads that one runs, 2048 on data-centre GPUs
   * @throws IllegalArgumentException if no block of 256 threads fits
   */
  public TorchCudaGenerator(long seed, int multiprocessors, int threadsPerMultiprocessor) {
    if (multiprocessors < 1 || threadsPerMultiprocessor < BLOCK) {
      throw new IllegalArgumentException(
          "a GPU of "
              + multiprocessors
              + " multiprocessors with "
              + threadsPerMultiprocessor
              + " threads runs no block of "
              + BLOCK);
    }
    this.seed = seed;
    this.maxBlocks = (long) multiprocessors * (threadsPerMultiprocessor / BLOCK);
  }

  @Override
  public long initialSeed() {
    return seed;
  }

  @Override
  public float[] randn(DType dtype, long... shape) {
    int n = Draws.elements(shape);
    float[] out = new float[n];
    if (n == 0) {
      return out;
    }
    long threads = BLOCK * Math.min(maxBlocks, (n + BLOCK - 1L) / BLOCK);
    long rounds = (n - 1) / (threads * PER_CALL) + 1;
    float[] normals = new float[PER_CALL];
    for (long thread = 0; thread < Math.min(threads, n); thread++) {
      for (long round = 0; round < rounds; round++) {
        draw(thread, calls + round, normals);
        long at = round * threads * PER_CALL + thread;
        for (int k = 0; k < PER_CALL && at < n; k++, at += threads) {
          out[(int) at] = normals[k];
        }
      }
    }
    calls += rounds;
    return Draws.round(dtype, out);
  }

  private void draw(long thread, long call, float[] normals) {
    int[] c = {(int) call, (int) (call >>> 32), (int) thread, (int) (thread >>> 32)};
    Philox.generate(c, seed);
    for (int k = 0; k < PER_CALL; k += 2) {
      float u = Math.fma(unsigned(c[k]), INVERSE, INVERSE / 2);
      float v = Math.fma(unsigned(c[k + 1]), INVERSE_TWO_PI, INVERSE_TWO_PI / 2);
      float radius = (float) Math.sqrt(-2 * (float) Math.log(u));
      normals[k] = (float) Math.sin(v) * radius;
      normals[k + 1] = (float) Math.cos(v) * radius;
    }
  }

  private static float unsigned(int word) {
    return word & 0xffffffffL;
  }
}
