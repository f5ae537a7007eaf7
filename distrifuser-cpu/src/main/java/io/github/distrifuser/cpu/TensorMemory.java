package io.github.distrifuser.cpu;

import io.github.distrifuser.backend.MemoryStats;
import io.github.distrifuser.tensor.Storage;
import java.nio.ByteBuffer;

/** The tensors' memory of one backend, counted. */
final class TensorMemory {
  private final SlabAllocator allocator;
  private long liveBytes;
  private long peakBytes;
  private long liveTensors;
  private volatile boolean closed;

  TensorMemory(SlabAllocator allocator) {
    this.allocator = allocator;
  }

  synchronized NativeStorage allocate(long bytes) {
    NativeStorage s = new NativeStorage(allocator.take(bytes), bytes);
    liveBytes += bytes;
    liveTensors++;
    peakBytes = Math.max(peakBytes, liveBytes);
    return s;
  }

  synchronized MemoryStats stats() {
    return new MemoryStats(liveBytes, peakBytes, liveTensors, allocator.reserved());
  }

  synchronized void close() {
    closed = true;
    liveBytes = 0;
    liveTensors = 0;
  }

  private synchronized void release(NativeStorage s) {
    if (!closed) {
      allocator.give(s.block);
      liveBytes -= s.bytes;
      liveTensors--;
    }
  }

  /** One tensor's memory. */
  final class NativeStorage implements Storage {
    private final SlabAllocator.Block block;
    private final long bytes;
    private volatile boolean storageClosed;

    private NativeStorage(SlabAllocator.Block block, long bytes) {
      this.block = block;
      this.bytes = bytes;
    }

    @Override
    public long byteSize() {
      return bytes;
    }

    @Override
    public long address() {
      return block().address();
    }

    /** Where the memory is, for host kernels. */
    SlabAllocator.Block block() {
      if (isClosed()) {
        throw new IllegalStateException(
            closed ? "tensor used after its backend was closed" : "tensor used after close");
      }
      return block;
    }

    @Override
    public ByteBuffer buffer(long offset, int length) {
      if (offset < 0 || length < 0 || offset + length > bytes) {
        throw new IndexOutOfBoundsException(
            "bytes [" + offset + ", " + (offset + length) + ") of a storage of " + bytes);
      }
      SlabAllocator.Block b = block();
      return b.slab().slice(b.offset() + offset, length);
    }

    @Override
    public boolean isClosed() {
      return storageClosed || closed;
    }

    @Override
    public void close() {
      boolean first;
      synchronized (this) {
        first = !storageClosed;
        storageClosed = true;
      }
      if (first) {
        release(this);
      }
    }
  }
}
