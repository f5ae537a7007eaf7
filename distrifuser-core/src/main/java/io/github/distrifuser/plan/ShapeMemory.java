package io.github.distrifuser.plan;

import io.github.distrifuser.backend.MemoryStats;
import io.github.distrifuser.tensor.Storage;
import java.nio.ByteBuffer;

/** Counts what would be allocated. */
final class ShapeMemory {
  private long live;
  private long peak;
  private long tensors;

  Storage allocate(long bytes) {
    live += bytes;
    tensors++;
    peak = Math.max(peak, live);
    return new ShapeStorage(bytes);
  }

  MemoryStats stats() {
    return new MemoryStats(live, peak, tensors, peak);
  }

  /** A size without memory. */
  private final class ShapeStorage implements Storage {
    private final long bytes;
    private boolean closed;

    ShapeStorage(long bytes) {
      this.bytes = bytes;
    }

    @Override
    public long byteSize() {
      return bytes;
    }

    @Override
    public long address() {
      throw noData();
    }

    @Override
    public ByteBuffer buffer(long offset, int length) {
      throw noData();
    }

    private UnsupportedOperationException noData() {
      return new UnsupportedOperationException("a recorded tensor has a shape and no data");
    }

    @Override
    public boolean isClosed() {
      return closed;
    }

    @Override
    public void close() {
      if (!closed) {
        closed = true;
        live -= bytes;
        tensors--;
      }
    }
  }
}
