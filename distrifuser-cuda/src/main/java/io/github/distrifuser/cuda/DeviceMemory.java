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
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.bytedeco.cuda.cudart.CUmemPoolHandle_st;
import org.bytedeco.cuda.cudart.cudaMemAccessDesc;
import org.bytedeco.cuda.cudart.cudaMemPoolProps;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.SizeTPointer;
import org.jspecify.annotations.Nullable;

/**
 * Memory of one backend's tensors: a pool of the driver's, in the order of the compute stream, and
 * before it a list of freed blocks by size, so that a loop with fixed shapes asks the driver for
 * nothing and finds its tensors at the same addresses again. What is allocated while a step is
 * captured belongs to {@link GraphMemory}.
 */
public final class DeviceMemory implements AutoCloseable {
  private static final long GRAIN = 256; // bytes to which sizes are rounded up

  private final int device;
  private final CudaStream stream;
  private final CudaStream beside; // which no capture takes in
  private final CUmemPoolHandle_st pool = new CUmemPoolHandle_st();
  private final Map<Long, ArrayDeque<Long>> free = new HashMap<>();
  private final Set<DeviceStorage> live = new HashSet<>();
  private final Set<DeviceStorage> ofGraphs = new HashSet<>(); // results of captured steps
  private final GraphMemory graphs = new GraphMemory();
  private final Set<DeviceStorage> captured = new HashSet<>(); // live, of the capture under way
  private BooleanSupplier shortage = () -> false;
  private long liveBytes;
  private long peakBytes;
  private long freeBytes;
  private volatile boolean closing;
  private boolean closed;

  DeviceMemory(int device, CudaStream stream, CudaStream beside) {
    this.device = device;
    this.stream = stream;
    this.beside = beside;
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
  public synchronized DeviceStorage allocate(long bytes, Object what) {
    checkOpen();
    long size = size(bytes);
    boolean capturing = graphs.isCapturing();
    Long address = capturing ? graphs.take(size) : null;
    if (address == null) {
      address = freed(size);
      if (address == null) {
        address = capturing ? takeBeside(size, what) : take(size, stream, what);
      }
      if (capturing) {
        graphs.adopt(address, size, true);
      }
    }
    DeviceStorage storage = new DeviceStorage(this, address, bytes);
    live.add(storage);
    if (capturing) {
      captured.add(storage);
    }
    liveBytes += bytes;
    peakBytes = Math.max(peakBytes, liveBytes);
    return storage;
  }

  private @Nullable Long freed(long size) {
    ArrayDeque<Long> kept = free.get(size);
    Long address = kept == null ? null : kept.poll();
    if (address != null) {
      freeBytes -= size;
    }
    return address;
  }

  private void keep(long address, long size) {
    free.computeIfAbsent(size, n -> new ArrayDeque<>()).push(address);
    freeBytes += size;
  }

  private static long size(long bytes) {
    return Math.max(GRAIN, Math.addExact(bytes, GRAIN - 1) / GRAIN * GRAIN);
  }

  /** Memory in the order of another stream, which also frees it: {@link #giveBack}. */
  public synchronized long borrow(long bytes, CudaStream other, Object what) {
    checkOpen();
    if (graphs.isCapturing()) {
      throw new IllegalStateException(what + " is needed first while a step is captured");
    }
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
        if (status == cudaErrorMemoryAllocation && giveUpGraphs()) {
          cudaGetLastError();
          status = cudaMallocFromPoolAsync(p, bytes, pool, where.handle());
        }
        if (status == cudaErrorMemoryAllocation) {
          cudaGetLastError();
          throw new CudaOutOfMemoryException(outOfMemory(bytes, what));
        }
      }
      CudaErrors.check(status, "cudaMallocFromPoolAsync of " + bytes + " bytes for " + what);
      return p.address();
    }
  }

  /** For a capture, which must not see the call: on a stream of its own, and there at once. */
  private long takeBeside(long size, Object what) {
    long[] address = new long[1];
    CudaGraph.outside(
        () -> {
          address[0] = take(size, beside, what);
          beside.synchronize();
        });
    return address[0];
  }

  /** Frees what can be captured again; says whether there was any. */
  private boolean giveUpGraphs() {
    if (graphs.isCapturing() || !shortage.getAsBoolean()) {
      return false;
    }
    giveUpCache();
    return true;
  }

  /**
   * What to do where caches are not enough.
   *
   * @param release frees captured steps, and says whether there were any
   */
  void onShortage(BooleanSupplier release) {
    shortage = release;
  }

  /** Frees all that nobody needs now. */
  synchronized void makeRoom() {
    if (!closed) {
      giveUpCache();
      giveUpGraphs();
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
    // A capture begins when all work has been done, so that the order doesn't matter.
    CudaStream order = graphs.isCapturing() ? beside : stream;
    for (ArrayDeque<Long> blocks : free.values()) {
      for (long address : blocks) {
        giveBack(address, order);
      }
    }
    free.clear();
    freeBytes = 0;
    order.synchronize();
    CudaErrors.check(cudaMemPoolTrimTo(pool, 0), "cudaMemPoolTrimTo");
  }

  synchronized MemoryStats stats() {
    return new MemoryStats(
        liveBytes, peakBytes, live.size(), closed ? 0 : reserved(), graphs.bytes());
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
      captured.remove(storage);
      liveBytes -= storage.byteSize();
    } else if (!ofGraphs.remove(storage)) {
      return;
    }
    if (graphs.release(address, this::keep)) {
      return;
    }
    if (graphs.isCapturing()) {
      graphs.adopt(address, size(storage.byteSize()), false); // what was captured may refer to it
    } else {
      keep(address, size(storage.byteSize()));
    }
  }

  /** Memory of a step that was captured. */
  static final class Capture {
    private final GraphMemory.Use use;
    private final List<DeviceStorage> results;

    private Capture(GraphMemory.Use use, List<DeviceStorage> results) {
      this.use = use;
      this.results = results;
    }

    long bytes() {
      return use.bytes();
    }
  }

  /** What is allocated from now on belongs to a step that is captured. */
  synchronized void beginCapture() {
    checkOpen();
    graphs.begin();
    captured.clear();
  }

  /** Ends that; tensors that are open stay so until {@link #free}. */
  synchronized Capture endCapture() {
    List<DeviceStorage> results = new ArrayList<>(captured);
    for (DeviceStorage s : results) {
      live.remove(s);
      liveBytes -= s.byteSize();
      ofGraphs.add(s);
    }
    captured.clear();
    return new Capture(graphs.end(), results);
  }

  /** Ends a capture that failed. */
  synchronized void abandonCapture() {
    captured.clear();
    graphs.abandon(this::keep);
  }

  /** Frees what a captured step worked in; it must have run. */
  synchronized void free(Capture capture) {
    if (!closed) {
      capture.results.forEach(DeviceStorage::close);
      graphs.free(capture.use, this::keep);
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
    ofGraphs.forEach(DeviceStorage::closeWithBackend);
    ofGraphs.clear();
    liveBytes = 0;
    graphs.clear((a, n) -> cudaFreeAsync(Address.at(a), stream.handle()));
    free.values().forEach(q -> q.forEach(a -> cudaFreeAsync(Address.at(a), stream.handle())));
    free.clear();
    freeBytes = 0;
    closed = true;
    cudaMemPoolDestroy(pool);
  }
}
