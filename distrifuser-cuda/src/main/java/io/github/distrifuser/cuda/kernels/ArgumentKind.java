package io.github.distrifuser.cuda.kernels;

/** What a kernel's argument is made of. */
public enum ArgumentKind {
  /** An address in device memory. */
  POINTER(8),
  I32(4),
  I64(8),
  U64(8),
  F32(4);

  private final int bytes;

  ArgumentKind(int bytes) {
    this.bytes = bytes;
  }

  /** Size in bytes, which is also its alignment. */
  public int bytes() {
    return bytes;
  }
}
