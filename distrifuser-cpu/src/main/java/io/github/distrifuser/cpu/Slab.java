package io.github.distrifuser.cpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import org.bytedeco.javacpp.Pointer;

/**
 * One piece of native memory from the system, 64-byte aligned, of any size. It is taken with plain
 * {@code malloc}, outside JavaCPP's accounting, which would count it against the heap's limit.
 *
 * <p>Java reads and writes it through buffers, one for each gibibyte; each reaches nearly another
 * gibibyte further, so that a run that crosses a border needs only one of them.
 */
final class Slab {
  static final int WINDOW_BITS = 30;
  private static final long WINDOW_REACH = (1L << 31) - 64;
  private static final int ALIGNMENT = 64;

  private final Pointer memory;
  private final long address;
  private final long size;
  private final ByteBuffer[] bytes;
  private final FloatBuffer[] floats;
  private final ShortBuffer[] shorts;
  private boolean freed;

  Slab(long size) {
    Pointer p = Pointer.malloc(size + ALIGNMENT);
    if (p == null || p.isNull()) {
      throw new OutOfMemoryError("cannot allocate " + size + " bytes of native memory");
    }
    this.memory = p;
    this.address = (p.address() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    this.size = size;
    int windows = (int) ((size - 1 >> WINDOW_BITS) + 1);
    bytes = new ByteBuffer[windows];
    floats = new FloatBuffer[windows];
    shorts = new ShortBuffer[windows];
    for (int i = 0; i < windows; i++) {
      long from = (long) i << WINDOW_BITS;
      bytes[i] =
          Address.bytes(address + from, Math.min(size - from, WINDOW_REACH))
              .asByteBuffer()
              .order(ByteOrder.nativeOrder());
      floats[i] = bytes[i].asFloatBuffer();
      shorts[i] = bytes[i].asShortBuffer();
    }
  }

  long address() {
    return address;
  }

  long size() {
    return size;
  }

  /** Bytes from {@code index << 30} on. */
  ByteBuffer bytes(int index) {
    return bytes[index];
  }

  /** Floats from {@code index << 28} on. */
  FloatBuffer floats(int index) {
    return floats[index];
  }

  /** 16-bit words from {@code index << 29} on. */
  ShortBuffer shorts(int index) {
    return shorts[index];
  }

  /** Part of the memory as a buffer of its own. */
  ByteBuffer slice(long offset, int length) {
    int w = (int) (offset >> WINDOW_BITS);
    return bytes[w]
        .slice((int) (offset - ((long) w << WINDOW_BITS)), length)
        .order(ByteOrder.nativeOrder());
  }

  /** Gives the memory back; only the first call does. */
  void free() {
    if (!freed) {
      freed = true;
      Pointer.free(memory);
    }
  }
}
