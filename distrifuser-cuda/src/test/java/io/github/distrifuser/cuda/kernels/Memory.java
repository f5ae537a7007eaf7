package io.github.distrifuser.cuda.kernels;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.weights.HalfFloats;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A piece of a kernel's memory: its bytes before a launch, and after it once the launch has run.
 *
 * <p>The argument points {@code offset} bytes into it.
 */
final class Memory {
  final byte[] before;
  final int offset;
  private final DType dtype;
  private byte[] after = new byte[0];

  private Memory(DType dtype, byte[] before, int offset) {
    this.dtype = dtype;
    this.before = before;
    this.offset = offset;
  }

  /** Numbers rounded to a type, the first {@code skip} of which lie before the argument. */
  static Memory of(DType dtype, float[] values, int skip) {
    ByteBuffer b = buffer(values.length * dtype.bytes());
    for (float f : values) {
      switch (dtype) {
        case F32 -> b.putFloat(f);
        case F16 -> b.putShort(HalfFloats.floatToF16(f));
        default -> b.putShort(HalfFloats.floatToBf16(f));
      }
    }
    return new Memory(dtype, b.array(), skip * dtype.bytes());
  }

  static Memory of(DType dtype, float... values) {
    return of(dtype, values, 0);
  }

  static Memory floats(float... values) {
    return of(DType.F32, values, 0);
  }

  static Memory doubles(double... values) {
    ByteBuffer b = buffer(8 * values.length);
    for (double d : values) {
      b.putDouble(d);
    }
    return new Memory(DType.F64, b.array(), 0);
  }

  static Memory ints(int... values) {
    ByteBuffer b = buffer(4 * values.length);
    for (int i : values) {
      b.putInt(i);
    }
    return new Memory(DType.I32, b.array(), 0);
  }

  static Memory bytes(byte[] values) {
    return new Memory(DType.U8, values.clone(), 0);
  }

  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  void ran(byte[] content) {
    after = content;
  }

  byte[] bytes() {
    return after;
  }

  /** All numbers after the launch, those before the argument's place included. */
  float[] floats() {
    return HalfFloats.widen(dtype, ByteBuffer.wrap(after));
  }

  /** The numbers before the launch, as the type holds them. */
  float[] rounded() {
    return HalfFloats.widen(dtype, ByteBuffer.wrap(before));
  }
}
