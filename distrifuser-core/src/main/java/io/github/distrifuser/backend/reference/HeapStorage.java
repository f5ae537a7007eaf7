package io.github.distrifuser.backend.reference;

import io.github.distrifuser.tensor.Storage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/** A byte array that goes back to its {@link HeapMemory} when closed. */
final class HeapStorage implements Storage {
  private final HeapMemory memory;
  private final int size;
  private volatile byte @Nullable [] bytes; // null once closed

  HeapStorage(HeapMemory memory, byte[] bytes) {
    this.memory = memory;
    this.size = bytes.length;
    this.bytes = bytes;
  }

  @Override
  public long byteSize() {
    return size;
  }

  @Override
  public long address() {
    throw new UnsupportedOperationException("the reference backend's memory is on the Java heap");
  }

  @Override
  public ByteBuffer buffer(long offset, int length) {
    byte[] b = bytes;
    if (b == null) {
      throw new IllegalStateException("a tensor of " + size + " bytes was closed");
    }
    if (offset < 0 || length < 0 || length > size - offset) {
      throw new IndexOutOfBoundsException(
          "bytes [" + offset + ", " + (offset + length) + ") of " + size);
    }
    return ByteBuffer.wrap(b, (int) offset, length).slice().order(ByteOrder.nativeOrder());
  }

  @Override
  public boolean isClosed() {
    return bytes == null;
  }

  @Override
  public void close() {
    byte[] b;
    synchronized (this) {
      b = bytes;
      bytes = null;
    }
    if (b != null) {
      memory.closed(this, b);
    }
  }
}
