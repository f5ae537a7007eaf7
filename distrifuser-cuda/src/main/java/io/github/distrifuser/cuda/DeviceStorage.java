package io.github.distrifuser.cuda;

import io.github.distrifuser.tensor.Storage;
import java.nio.ByteBuffer;

/** Memory of one tensor on a GPU. */
public final class DeviceStorage implements Storage {
  private final DeviceMemory memory;
  private final long address;
  private final long bytes;
  private volatile boolean closed;

  DeviceStorage(DeviceMemory memory, long address, long bytes) {
    this.memory = memory;
    this.address = address;
    this.bytes = bytes;
  }

  @Override
  public long byteSize() {
    return bytes;
  }

  @Override
  public long address() {
    if (closed) {
      throw new IllegalStateException("a tensor of " + bytes + " bytes was closed");
    }
    return address;
  }

  @Override
  public ByteBuffer buffer(long offset, int length) {
    throw new UnsupportedOperationException("the host cannot reach a GPU's memory");
  }

  @Override
  public boolean isClosed() {
    return closed;
  }

  /** Marks it closed; returns where its memory is. */
  long closeWithBackend() {
    closed = true;
    return address;
  }

  @Override
  public void close() {
    boolean first;
    synchronized (this) {
      first = !closed;
      closed = true;
    }
    if (first) {
      memory.release(this, address);
    }
  }
}
