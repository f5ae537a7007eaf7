package io.github.distrifuser.backend.reference;

import io.github.distrifuser.backend.MemoryStats;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Byte arrays of one backend: counted, kept for the next allocation of the same size, and freed
 * together. New memory is filled with ones, which are NaN in every floating-point type, so that
 * reading what nobody wrote shows.
 */
final class HeapMemory implements AutoCloseable {
  private static final int LARGEST = Integer.MAX_VALUE - 8;

  private final Map<Integer, ArrayDeque<byte[]>> cache = new HashMap<>();
  private final Set<HeapStorage> live = Collections.newSetFromMap(new IdentityHashMap<>());
  private long liveBytes;
  private long peakBytes;
  private long cachedBytes;
  private boolean closed;

  synchronized HeapStorage allocate(long size, Object what) {
    checkOpen();
    if (size > LARGEST) {
      throw new IllegalArgumentException(
          "reference backend: "
              + what
              + " takes "
              + size
              + " bytes, more than a Java array's "
              + LARGEST);
    }
    ArrayDeque<byte[]> free = cache.get((int) size);
    byte[] bytes = free == null ? null : free.poll();
    if (bytes == null) {
      bytes = new byte[(int) size];
    } else {
      cachedBytes -= size;
    }
    Arrays.fill(bytes, (byte) 0xff);
    HeapStorage storage = new HeapStorage(this, bytes);
    live.add(storage);
    liveBytes += size;
    peakBytes = Math.max(peakBytes, liveBytes);
    return storage;
  }

  synchronized void closed(HeapStorage storage, byte[] bytes) {
    live.remove(storage);
    liveBytes -= bytes.length;
    if (!closed) {
      cache.computeIfAbsent(bytes.length, n -> new ArrayDeque<>()).push(bytes);
      cachedBytes += bytes.length;
    }
  }

  synchronized MemoryStats stats() {
    return new MemoryStats(liveBytes, peakBytes, live.size(), liveBytes + cachedBytes);
  }

  synchronized void trim() {
    cache.clear();
    cachedBytes = 0;
  }

  synchronized void checkOpen() {
    if (closed) {
      throw new IllegalStateException("the reference backend was closed");
    }
  }

  @Override
  public void close() {
    List<HeapStorage> open;
    synchronized (this) {
      closed = true;
      trim();
      open = new ArrayList<>(live);
    }
    open.forEach(HeapStorage::close);
  }
}
