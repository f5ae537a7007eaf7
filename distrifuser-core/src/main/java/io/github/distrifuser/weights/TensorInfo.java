package io.github.distrifuser.weights;

import io.github.distrifuser.tensor.Shape;

/**
 * What a safetensors header says of one tensor.
 *
 * @param name full state-dict key
 * @param dtype safetensors' name of the type, as in {@code BF16}; some have no {@link
 *     io.github.distrifuser.tensor.DType}
 * @param begin offset of the first byte in the file's data section
 * @param end offset after the last byte
 */
public record TensorInfo(String name, String dtype, Shape shape, long begin, long end) {

  /** Size in bytes. */
  public long bytes() {
    return end - begin;
  }
}
