package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudart.cudaDeviceCanAccessPeer;
import static org.bytedeco.cuda.global.cudart.cudaErrorMemoryAllocation;
import static org.bytedeco.cuda.global.cudart.cudaFreeAsync;
import static org.bytedeco.cuda.global.cudart.cudaGetLastError;
import static org.bytedeco.cuda.global.cudart.cudaMallocFromPoolAsync;
import static org.bytedeco.cuda.global.cudart.cudaMemAccessFlagsProtReadWrite;
import static org.bytedeco.cuda.global.cudart.cudaMemAllocationTypePinned;
import static org.bytedeco.cuda.global.cudart.cudaMemGetInfo;
import static org.bytedeco.cuda.global.cudart.cudaMemHandleTypeNone;
import static org.bytedeco.cuda.global.cudart.cudaMemLocationTypeDevice;
import static org.bytedeco.cuda.global.cudart.cudaMemPoolAttrReleaseThreshold;
import static org.bytedeco.cuda.global.cudart.cudaMemPoolAttrReservedMemCurrent;
import static org.bytedeco.cuda.global.cudart.cudaMemPoolCreate;
import static org.bytedeco.cuda.global.cudart.cudaMemPoolDestroy;
import static org.bytedeco.cuda.global.cudart.cudaMemPoolGetAttribute;
import static org.bytedeco.cuda.global.cudart.cudaMemPoolSetAccess;
import static org.bytedeco.cuda.global.cudart.cudaMemPoolSetAttribute;
import static org.bytedeco.cuda.global.cudart.cudaMemPoolTrimTo;

import io.github.distrifuser.backend.MemoryStats;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.bytedeco.cuda.cudart.CUmemPoolHandle_st;
import org.bytedeco.cuda.cudart.cudaMemAccessDesc;
import org.bytedeco.cuda.cudart.cudaMemPoolProps;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.SizeTPointer;

/**
 * Memory of one backend's tensors: a pool of the driver's, in the order of the compute stream, and
 * before it a list of freed blocks by size, so that a loop with fixed shapes asks the driver for
 * nothing and finds its tensors at the same addresses again.
 */
public final class DeviceMemory implements AutoCloseable {
  private static final long GRAIN = 256; // bytes to which sizes are rounded up

  private final int device;
  private final CudaStream stream;
  private final CUmemPoolHandle_st pool = new CUmemPoolHandle_st();
  private final Map<Long, ArrayDeque<Long>> free = new HashMap<>();
  private final Set<DeviceStorage> live = new HashSet<>();
  private long liveBytes;
  private long peakBytes;
  private long freeBytes;
  private volatile boolean closing;
  private boolean closed;

  DeviceMemory(int device, CudaStream stream) {
    this.device = device;
    this.stream = stream;
    try (cudaMemPoolProps props = new cudaMemPoolProps();
        LongPointer all = new LongPointer(1)) {
      org.bytedeco.javacpp.Pointer.memset(props, 0, props.sizeof());
      props.allocType(cudaMemAllocationTypePinned).handleTypes(cudaMemHandleTypeNone);
      props.location().type(cudaMemLocationTypeDevice).id(device);
      CudaErrors.check(cudaMemPoolCreate(pool, props), "cudaMemPoolCreate");
      all.put(-1L); // keeps what is freed until trim
      CudaErrors.check(
          cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, all),
          "cudaMemPoolSetAttribute");
    }
  }

  /**
   * Lets another device of this process reach the memory, where it can: NCCL and copies go straight
   * between devices of one process. Other processes' devices need no such leave.
   */
  public void share(int other) {
    int[] can = new int[1];
    CudaErrors.check(cudaDeviceCanAccessPeer(can, other, device), "cudaDeviceCanAccessPeer");
    if (can[0] == 0) {
      return;
    }
    try (cudaMemAccessDesc access = new cudaMemAccessDesc()) {
      access.location().type(cudaMemLocationTypeDevice).id(other);
      access.flags(cudaMemAccessFlagsProtReadWrite);
      CudaErrors.check(cudaMemPoolSetAccess(pool, access, 1), "cudaMemPoolSetAccess");
    }
  }

  /**
   * A block for a tensor.
   *
   * @param what for the message if there is none
   * @throws CudaOutOfMemoryException where the device has none left, caches given back
   */
  synchronized DeviceStorage allocate(long bytes, Object what) {
    checkOpen();
    long size = size(bytes);
    ArrayDeque<Long> kept = free.get(size);
    Long address = kept == null ? null : kept.poll();
    if (address == null) {
      address = take(size, stream, what);
    } else {
      freeBytes -= size;
    }
    DeviceStorage storage = new DeviceStorage(this, address, bytes);
    live.add(storage);
    liveBytes += bytes;
    peakBytes = Math.max(peakBytes, liveBytes);
    return storage;
  }

  private static long size(long bytes) {
    return Math.max(GRAIN, Math.addExact(bytes, GRAIN - 1) / GRAIN * GRAIN);
  }

  /** Memory in the order of another stream, which also frees it: {@link #giveBack}. */
  public synchronized long borrow(long bytes, CudaStream other, Object what) {
    checkOpen();
    return take(size(bytes), other, what);
  }

  /** Frees what was borrowed, once the stream has come here. */
  public void giveBack(long address, CudaStream other) {
    int status = cudaFreeAsync(Address.at(address), other.handle());
    if (!closing) {
      CudaErrors.check(status, "cudaFreeAsync");
    }
  }

  /** What is given back from now on may fail: a device that failed refuses every call. */
  void beginClosing() {
    closing = true;
  }

  private long take(long bytes, CudaStream where, Object what) {
    try (Address p = new Address()) {
      int status = cudaMallocFromPoolAsync(p, bytes, pool, where.handle());
      if (status == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        giveUpCache();
        status = cudaMallocFromPoolAsync(p, bytes, pool, where.handle());
        if (status == cudaErrorMemoryAllocation) {
          cudaGetLastError();
          throw new CudaOutOfMemoryException(outOfMemory(bytes, what));
        }
      }
      CudaErrors.check(status, "cudaMallocFromPoolAsync of " + bytes + " bytes for " + what);
      return p.address();
    }
  }

  private String outOfMemory(long bytes, Object what) {
    return outOfMemory(device, bytes, what)
        + "; this rank's tensors hold "
        + liveBytes
        + " bytes of it";
  }

  /** What to say when a device has no memory left. */
  static String outOfMemory(int device, long bytes, Object what) {
    try (SizeTPointer unused = new SizeTPointer(1);
        SizeTPointer total = new SizeTPointer(1)) {
      CudaErrors.check(cudaMemGetInfo(unused, total), "cudaMemGetInfo");
      return "out of memory on cuda:"
          + device
          + ": "
          + what
          + " needs "
          + bytes
          + " bytes, "
          + unused.get()
          + " of "
          + total.get()
          + " are free";
    }
  }

  /** Gives freed blocks back to the driver, and by it to the system. */
  synchronized void trim() {
    if (!closed) {
      giveUpCache();
    }
  }

  private void giveUpCache() {
    for (ArrayDeque<Long> blocks : free.values()) {
      for (long address : blocks) {
        giveBack(address, stream);
      }
    }
    free.clear();
    freeBytes = 0;
    stream.synchronize();
    CudaErrors.check(cudaMemPoolTrimTo(pool, 0), "cudaMemPoolTrimTo");
  }

  synchronized MemoryStats stats() {
    return new MemoryStats(liveBytes, peakBytes, live.size(), closed ? 0 : reserved());
  }

  private long reserved() {
    try (LongPointer bytes = new LongPointer(1)) {
      CudaErrors.check(
          cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, bytes),
          "cudaMemPoolGetAttribute");
      return bytes.get();
    }
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("backend is closed");
    }
  }

  /** Of a storage that is closed. */
  synchronized void release(DeviceStorage storage, long address) {
    if (live.remove(storage)) {
      liveBytes -= storage.byteSize();
      long size = size(storage.byteSize());
      free.computeIfAbsent(size, n -> new ArrayDeque<>()).push(address);
      freeBytes += size;
    }
  }

  /** Frees everything, tensors still open included; the stream must be idle or failed. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    for (DeviceStorage s : live) {
      cudaFreeAsync(Address.at(s.closeWithBackend()), stream.handle());
    }
    live.clear();
    liveBytes = 0;
    free.values().forEach(q -> q.forEach(a -> cudaFreeAsync(Address.at(a), stream.handle())));
    free.clear();
    freeBytes = 0;
    closed = true;
    cudaMemPoolDestroy(pool);
  }
}
