package io.github.distrifuser.weights;

import io.github.distrifuser.tensor.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ShortBuffer;

/** Conversions between float and the 16-bit formats, rounding to nearest even as torch does. */
public final class HalfFloats {
  private HalfFloats() {}

  /** Elements of a little-endian buffer as floats: F32, F16 or BF16. */
  public static float[] widen(DType dtype, ByteBuffer data) {
    ByteBuffer d = data.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    float[] out = new float[d.remaining() / dtype.bytes()];
    switch (dtype) {
      case F32 -> d.asFloatBuffer().get(out);
      case F16 -> {
        ShortBuffer s = d.asShortBuffer();
        float[] table = Table.F16;
        for (int i = 0; i < out.length; i++) {
          out[i] = table[s.get(i) & 0xffff];
        }
      }
      case BF16 -> {
        ShortBuffer s = d.asShortBuffer();
        for (int i = 0; i < out.length; i++) {
          out[i] = bf16ToFloat(s.get(i));
        }
      }
      default -> throw new IllegalArgumentException("not a floating-point type: " + dtype);
    }
    return out;
  }

  /** One bfloat16 as a float. */
  public static float bf16ToFloat(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /** Nearest bfloat16, ties to even; NaN stays NaN. */
  public static short floatToBf16(float f) {
    int i = Float.floatToRawIntBits(f);
    if (Float.isNaN(f)) {
      return (short) ((i >>> 16) | 0x40);
    }
    return (short) ((i + 0x7fff + ((i >>> 16) & 1)) >>> 16);
  }

  /** One half-precision number as a float. */
  public static float f16ToFloat(short bits) {
    return Table.F16[bits & 0xffff];
  }

  /** Nearest half-precision number, ties to even; overflow gives infinity. */
  public static short floatToF16(float f) {
    int i = Float.floatToRawIntBits(f);
    int sign = (i >>> 16) & 0x8000;
    int abs = i & 0x7fffffff;
    if (abs > 0x7f800000) {
      return (short) (sign | 0x7e00);
    }
    if (abs >= 0x477ff000) { // rounds to 65536 or more
      return (short) (sign | 0x7c00);
    }
    if (abs >= 0x38800000) { // normal
      int r = abs - 0x38000000;
      return (short) (sign | ((r + 0xfff + ((r >>> 13) & 1)) >>> 13));
    }
    if (abs < 0x33000000) {
      return (short) sign;
    }
    int shift = 126 - (abs >>> 23); // subnormal: 14..24 bits are dropped
    int m = (abs & 0x7fffff) | 0x800000;
    int half = 1 << (shift - 1);
    int r = (m + half - 1 + ((m >>> shift) & 1)) >>> shift;
    return (short) (sign | r);
  }

  private static float decodeF16(int h) {
    int sign = (h & 0x8000) << 16;
    int exp = (h >>> 10) & 0x1f;
    int man = h & 0x3ff;
    if (exp == 0x1f) {
      return Float.intBitsToFloat(sign | 0x7f800000 | (man << 13));
    }
    if (exp == 0) {
      float v = man * 0x1p-24f;
      return sign == 0 ? v : -v;
    }
    return Float.intBitsToFloat(sign | ((exp + 112) << 23) | (man << 13));
  }

  /** All 65,536 half-precision numbers, made on first use. */
  private static final class Table {
    static final float[] F16 = new float[1 << 16];

    static {
      for (int i = 0; i < F16.length; i++) {
        F16[i] = decodeF16(i);
      }
    }
  }
}
