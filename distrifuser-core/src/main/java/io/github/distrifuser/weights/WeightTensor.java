package io.github.distrifuser.weights;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * One named tensor of a weights file, in torch's layout: linear {@code [out, in]}, convolution
 * {@code [out, in, kh, kw]}, vectors {@code [n]}.
 *
 * @param name full state-dict key, as in {@code down_blocks.0.resnets.0.conv1.weight}
 * @param source file it came from, for messages
 * @param dtype F32, F16 or BF16 for weights; buffers may have integer types
 * @param data the bytes, little-endian, from position 0 to limit; direct where the file is mapped.
 *     The view keeps the mapping alive.
 */
public record WeightTensor(String name, String source, DType dtype, Shape shape, ByteBuffer data) {

  public WeightTensor {
    data = data.slice().order(ByteOrder.LITTLE_ENDIAN);
    if (data.remaining() != shape.elements() * dtype.bytes()) {
      throw new IllegalArgumentException(
          source + ": " + name + ": " + data.remaining() + " bytes for " + dtype + shape);
    }
  }

  /** A view with its own position and limit, in little-endian order. */
  @Override
  public ByteBuffer data() {
    return data.duplicate().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** All elements as floats, widened from F16 or BF16 without loss. */
  public float[] toFloats() {
    return HalfFloats.widen(dtype, data());
  }

  /**
   * One element as a float, for messages.
   *
   * @throws IllegalArgumentException for types other than F32, F16 and BF16
   */
  public float at(long index) {
    int at = Math.toIntExact(index * dtype.bytes());
    return switch (dtype) {
      case F32 -> data().getFloat(at);
      case F16 -> HalfFloats.f16ToFloat(data().getShort(at));
      case BF16 -> HalfFloats.bf16ToFloat(data().getShort(at));
      default -> throw new IllegalArgumentException("not a floating-point type: " + dtype);
    };
  }

  /**
   * Index of the first NaN or infinity, or -1. Reads all data once, about as fast as memory gives
   * it. Integer types have none.
   */
  public long firstNonFinite() {
    return switch (dtype) {
      case F16 -> NonFinite.first(data(), 2, 0x7c007c007c007c00L, 0x0400040004000400L);
      case BF16 -> NonFinite.first(data(), 2, 0x7f807f807f807f80L, 0x0080008000800080L);
      case F32 -> NonFinite.first(data(), 4, 0x7f8000007f800000L, 0x0080000000800000L);
      case F64 -> NonFinite.first(data(), 8, 0x7ff0000000000000L, 0x0010000000000000L);
      default -> -1;
    };
  }
}
