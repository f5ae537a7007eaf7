package io.github.distrifuser.weights;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/**
 * Random F16 weights, the same on every machine for a seed and a name: vectors named {@code
 * *.weight} (norms) are 1, other vectors and scalars (biases) 0, and all else is normal with
 * standard deviation {@code 1 / sqrt(fan_in)}, where fan_in is the product of all dimensions but
 * the first. Activations then keep their order of magnitude through the layers.
 *
 * <p>Fast rather than fine: values are drawn from a table of 4096 normal numbers, which makes some
 * hundred million weights a second on one core. Buffers are direct.
 */
public final class RandomWeights implements WeightGenerator {
  private static final int TABLE = 1 << 12;
  private static final short ONE = 0x3c00;
  private static final long GAMMA = 0x9e3779b97f4a7c15L;

  private final long seed;
  private final float[] normal = normalTable();

  public RandomWeights(long seed) {
    this.seed = seed;
  }

  /**
   * {@inheritDoc}
   *
   * @throws WeightsException for 2 GiB or more
   */
  @Override
  public WeightTensor make(String source, String name, Shape shape) {
    long n = shape.elements();
    long rounded = (n + 3) / 4 * 8; // bytes, up to whole longs
    if (rounded > Integer.MAX_VALUE) {
      throw new WeightsException(
          source, name, "%d elements, expected fewer than 2^30 for one tensor".formatted(n));
    }
    ByteBuffer b = ByteBuffer.allocateDirect((int) rounded).order(ByteOrder.LITTLE_ENDIAN);
    if (shape.rank() > 1) {
      fillNormal(b, name, Math.max(1, n / Math.max(1, shape.dim(0))));
    } else if (shape.rank() == 1 && name.endsWith("weight")) {
      while (b.hasRemaining()) {
        b.putShort(ONE);
      }
    }
    return new WeightTensor(name, source, DType.F16, shape, b.slice(0, (int) (2 * n)));
  }

  private void fillNormal(ByteBuffer b, String name, long fanIn) {
    float std = (float) (1 / Math.sqrt(fanIn));
    long[] table = new long[TABLE];
    for (int i = 0; i < TABLE; i++) {
      table[i] = HalfFloats.floatToF16(normal[i] * std) & 0xffffL;
    }
    long state = mix(hash(name) + seed * GAMMA);
    int mask = TABLE - 1;
    for (int at = 0; at < b.capacity(); at += 8) {
      state += GAMMA;
      long z = mix(state);
      b.putLong(
          at,
          table[(int) z & mask]
              | table[(int) (z >>> 12) & mask] << 16
              | table[(int) (z >>> 24) & mask] << 32
              | table[(int) (z >>> 36) & mask] << 48);
    }
  }

  /** The finaliser of SplitMix64. */
  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }

  /** FNV-1a over the name's characters. */
  private static long hash(String name) {
    long h = 0xcbf29ce484222325L;
    for (int i = 0; i < name.length(); i++) {
      h = (h ^ name.charAt(i)) * 0x100000001b3L;
    }
    return h;
  }

  /** Normal numbers and their negatives: mean 0 and variance 1 over the table. */
  private static float[] normalTable() {
    Random r = new Random(0);
    double[] half = new double[TABLE / 2];
    double squares = 0;
    for (int i = 0; i < half.length; i++) {
      half[i] = r.nextGaussian();
      squares += half[i] * half[i];
    }
    double factor = Math.sqrt(half.length / squares);
    float[] t = new float[TABLE];
    for (int i = 0; i < half.length; i++) {
      t[2 * i] = (float) (half[i] * factor);
      t[2 * i + 1] = -t[2 * i];
    }
    return t;
  }
}
