package io.github.distrifuser.tensor;

import java.util.Locale;

/** Element types, named as safetensors names them. */
public enum DType {
  F32(4),
  F16(2),
  BF16(2),
  F64(8),
  I64(8),
  I32(4),
  U8(1);

  private final int bytes;

  DType(int bytes) {
    this.bytes = bytes;
  }

  /** Size of one element in bytes. */
  public int bytes() {
    return bytes;
  }

  /** True for the types that weights and activations may have: F32, F16 and BF16. */
  public boolean isFloat() {
    return this == F32 || this == F16 || this == BF16;
  }

  /** torch's name, as in {@code float32}. */
  public String torchName() {
    return switch (this) {
      case F32 -> "float32";
      case F16 -> "float16";
      case BF16 -> "bfloat16";
      case F64 -> "float64";
      case I64 -> "int64";
      case I32 -> "int32";
      case U8 -> "uint8";
    };
  }

  /**
   * Parses torch's and the command line's names: {@code float32}, {@code float16}, {@code
   * bfloat16}.
   *
   * @throws IllegalArgumentException for any other name, listing the choices
   */
  public static DType ofTorchName(String name) {
    switch (name.toLowerCase(Locale.ROOT)) {
      case "float32":
        return F32;
      case "float16":
        return F16;
      case "bfloat16":
        return BF16;
      default:
        throw new IllegalArgumentException(
            "unknown dtype '" + name + "': choose from float32, float16, bfloat16");
    }
  }
}
