package io.github.distrifuser.weights;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.tensor.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Test;

class HalfFloatsTest {

  /** A 16-bit number by its definition. */
  private static double value(int bits, int exponentBits, int mantissaBits) {
    int bias = (1 << (exponentBits - 1)) - 1;
    int exponent = bits >> mantissaBits & (1 << exponentBits) - 1;
    double mantissa = (bits & (1 << mantissaBits) - 1) / (double) (1 << mantissaBits);
    double sign = bits >> 15 == 0 ? 1 : -1;
    if (exponent == (1 << exponentBits) - 1) {
      return mantissa == 0 ? sign * Double.POSITIVE_INFINITY : Double.NaN;
    }
    return exponent == 0
        ? sign * mantissa * Math.pow(2, 1 - bias)
        : sign * (1 + mantissa) * Math.pow(2, exponent - bias);
  }

  @Test
  void everyNumberIsWidenedByItsDefinitionAndComesBack() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      float half = HalfFloats.f16ToFloat((short) bits);
      float brain = HalfFloats.bf16ToFloat((short) bits);
      assertEquals((float) value(bits, 5, 10), half);
      assertEquals((float) value(bits, 8, 7), brain);
      if (Float.isNaN(half)) {
        assertTrue(Float.isNaN(HalfFloats.f16ToFloat(HalfFloats.floatToF16(half))));
      } else {
        assertEquals((short) bits, HalfFloats.floatToF16(half));
      }
      if (Float.isNaN(brain)) {
        assertTrue(Float.isNaN(HalfFloats.bf16ToFloat(HalfFloats.floatToBf16(brain))));
      } else {
        assertEquals((short) bits, HalfFloats.floatToBf16(brain));
      }
    }
  }

  /** Positive finite numbers are in the order of their bits, so neighbours are bits +- 1. */
  @Test
  void roundsToTheNearestWithTiesToEven() {
    Random r = new Random(1);
    for (int i = 0; i < 300_000; i++) {
      int bits = r.nextInt(0x7f80_0000);
      if (i % 3 == 0) {
        bits &= ~0xfff; // ties of F16
      } else if (i % 3 == 1) {
        bits &= ~0x7fff; // ties of BF16
      }
      float f = Float.intBitsToFloat(bits);
      if (f < 65519) {
        checkNearest(f, HalfFloats.floatToF16(f), b -> value(b, 5, 10));
        assertEquals((short) (HalfFloats.floatToF16(f) | 0x8000), HalfFloats.floatToF16(-f));
      } else if (f >= 65520) {
        assertEquals(0x7c00, HalfFloats.floatToF16(f));
      }
      if (f < 3.38e38f) {
        checkNearest(f, HalfFloats.floatToBf16(f), b -> value(b, 8, 7));
      }
    }
    assertEquals(0x7f80, HalfFloats.floatToBf16(Float.MAX_VALUE));
    assertEquals(0x7bff, HalfFloats.floatToF16(65519.996f));
  }

  private static void checkNearest(float f, short bits, IntToDoubleFunction value) {
    double error = Math.abs(value.applyAsDouble(bits) - f);
    double above = Math.abs(value.applyAsDouble(bits + 1) - f);
    double below =
        bits == 0 ? Double.POSITIVE_INFINITY : Math.abs(value.applyAsDouble(bits - 1) - f);
    assertTrue(error <= above && error <= below, () -> f + " became " + bits);
    if (error == above || error == below) {
      assertEquals(0, bits & 1, () -> f + " is a tie and became " + bits);
    }
  }

  @Test
  void widensBuffersFromTheirPosition() {
    ByteBuffer b = ByteBuffer.allocate(6).order(ByteOrder.LITTLE_ENDIAN);
    b.putShort((short) 0).putShort((short) 0x3c00).putShort((short) 0xc000).position(2);
    assertArrayEquals(new float[] {1, -2}, HalfFloats.widen(DType.F16, b));
    assertEquals(2, b.position());
    b.putShort(2, (short) 0x3f80).putShort(4, (short) 0xc000);
    assertArrayEquals(new float[] {1, -2}, HalfFloats.widen(DType.BF16, b));
    assertThrows(IllegalArgumentException.class, () -> HalfFloats.widen(DType.I64, b));
  }
}
