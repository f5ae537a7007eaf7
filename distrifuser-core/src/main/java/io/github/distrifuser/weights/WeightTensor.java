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
}
