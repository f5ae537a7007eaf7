package io.github.distrifuser.random;

import io.github.distrifuser.tensor.DType;

/**
 * {@code torch.Generator("cpu").manual_seed(seed)}: a Mersenne Twister and torch's two ways of
 * making normal numbers from it.
 *
 * <ul>
 *   <li>Fewer than 16 elements: Box-Muller in double precision, one element at a time. The second
 *       number of a pair is kept for the next element, or for the next draw.
 *   <li>16 or more: blocks of 16 uniform floats become blocks of 16 normal ones. When the size is
 *       no multiple of 16, the last 16 elements are drawn anew.
 * </ul>
 *
 * <p>Checked against torch 2.15 on x86-64, where float32 agrees to 1e-6. In float16 and bfloat16
 * torch draws in float32, block by block, and rounds; early releases of torch differ there.
 */
public final class TorchGenerator implements Generator {
  private static final int BLOCK = 16;
  private static final float TWO_PI = (float) (2 * Math.PI);

  private final long seed;
  private final Mt19937 engine;
  private double kept = Double.NaN; // second number of a double-precision pair; NaN when none

  /**
   * A stream for this seed. As in torch, only the low 32 bits matter, and a negative seed stands
   * for its two's complement.
   */
  public TorchGenerator(long seed) {
    this.seed = seed;
    this.engine = new Mt19937((int) seed);
  }

  @Override
  public long initialSeed() {
    return seed;
  }

  @Override
  public float[] randn(DType dtype, long... shape) {
    float[] out = new float[Draws.elements(shape)];
    if (out.length < BLOCK) {
      for (int i = 0; i < out.length; i++) {
        out[i] = (float) nextDoubleNormal();
      }
    } else {
      fill(out, dtype);
    }
    return Draws.round(dtype, out);
  }

  private void fill(float[] out, DType dtype) {
    int whole = out.length - out.length % BLOCK;
    // float32 takes all its uniform numbers before the tail's; the 16-bit types go block by block,
    // so there the tail follows the last whole block at once.
    int uniform = dtype == DType.F32 ? out.length : whole;
    for (int i = 0; i < uniform; i++) {
      out[i] = nextFloat();
    }
    for (int i = 0; i < whole; i += BLOCK) {
      boxMuller(out, i);
    }
    if (whole < out.length) {
      int tail = out.length - BLOCK;
      for (int i = tail; i < out.length; i++) {
        out[i] = nextFloat();
      }
      boxMuller(out, tail);
    }
  }

  /** Turns 16 uniform numbers into normal ones: element j and j + 8 make a pair. */
  private static void boxMuller(float[] a, int from) {
    for (int j = from; j < from + BLOCK / 2; j++) {
      float u1 = 1 - a[j]; // (0, 1], so that the logarithm is finite
      float radius = (float) Math.sqrt(-2 * (float) Math.log(u1));
      float theta = TWO_PI * a[j + BLOCK / 2];
      a[j] = radius * (float) Math.cos(theta);
      a[j + BLOCK / 2] = radius * (float) Math.sin(theta);
    }
  }

  private double nextDoubleNormal() {
    if (!Double.isNaN(kept)) {
      double k = kept;
      kept = Double.NaN;
      return k;
    }
    double u1 = nextDouble();
    double u2 = nextDouble();
    double radius = Math.sqrt(-2 * Math.log1p(-u2));
    double theta = 2 * Math.PI * u1;
    kept = radius * Math.sin(theta);
    return radius * Math.cos(theta);
  }

  /** 24 random bits in [0, 1). */
  private float nextFloat() {
    return (engine.nextInt() & 0xffffff) * 0x1p-24f;
  }

  /** 53 random bits in [0, 1): the first 32-bit number is the high half. */
  private double nextDouble() {
    long high = engine.nextInt() & 0xffffffffL;
    long low = engine.nextInt() & 0xffffffffL;
    return ((high << 32 | low) & ((1L << 53) - 1)) * 0x1p-53;
  }
}
