package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cublas.cublasLtCreate;
import static org.bytedeco.cuda.global.cublas.cublasLtDestroy;
import static org.bytedeco.cuda.global.cudart.cudaDevAttrMultiProcessorCount;
import static org.bytedeco.cuda.global.cudart.cudaSetDevice;
import static org.bytedeco.cuda.global.cudart.cudaStreamSynchronize;
import static org.bytedeco.cuda.global.cudnn.cudnnCreate;
import static org.bytedeco.cuda.global.cudnn.cudnnDestroy;
import static org.bytedeco.cuda.global.cudnn.cudnnSetStream;

import io.github.distrifuser.cuda.kernels.KernelCache;
import io.github.distrifuser.cuda.kernels.NvrtcCompiler;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayDeque;
import java.util.Deque;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cudnn.cudnnContext;
import org.jspecify.annotations.Nullable;

/** What one backend owns on its device: streams, memory, handles of the libraries, kernels. */
public final class CudaContext implements AutoCloseable {
  /** Elements of a tensor that libraries are given at once: some count in 32 bits. */
  static final long LARGEST = Integer.MAX_VALUE;

  private final int device;
  private final DType dtype;
  private final Deque<AutoCloseable> owned = new ArrayDeque<>(); // last made first
  private final CudaStream compute;
  private final CudaStream upload;
  private final DeviceMemory memory;
  private final PinnedStaging staging;
  private final Launches launches;
  private final cublasLtContext blas = new cublasLtContext();
  private final cudnnContext dnn = new cudnnContext();
  private long workspace; // address, or 0
  private long workspaceBytes;
  private boolean capturing;
  private @Nullable DeviceStorage capturedWorkspace; // in the workspace's place during a capture

  CudaContext(int device, DType dtype) {
    this.device = device;
    this.dtype = dtype;
    activate();
    try {
      compute = own(new CudaStream());
      upload = own(new CudaStream());
      memory = own(new DeviceMemory(device, compute, upload));
      staging = own(new PinnedStaging());
      CudaErrors.checkBlas(cublasLtCreate(blas), "cublasLtCreate");
      own(() -> cublasLtDestroy(blas));
      CudaErrors.checkDnn(cudnnCreate(dnn), "cudnnCreate");
      own(() -> cudnnDestroy(dnn));
      CudaErrors.checkDnn(cudnnSetStream(dnn, compute.handle()), "cudnnSetStream");
      launches =
          own(
              new Launches(
                  new KernelCache(
                      KernelCache.folder(null, System.getenv(), System.getProperty("user.home")),
                      new NvrtcCompiler(false)),
                  "sm_" + Cuda.capability(device),
                  Cuda.attribute(cudaDevAttrMultiProcessorCount, device)));
    } catch (RuntimeException | LinkageError e) {
      closeOwned();
      throw e;
    }
  }

  private <T extends AutoCloseable> T own(T t) {
    owned.push(t);
    return t;
  }

  /** Makes the device this thread's, which all calls of the libraries refer to. */
  public void activate() {
    CudaErrors.check(cudaSetDevice(device), "cudaSetDevice(" + device + ")");
  }

  public int device() {
    return device;
  }

  /** Type of activations. */
  DType dtype() {
    return dtype;
  }

  /** The stream of the operators. */
  public CudaStream compute() {
    return compute;
  }

  /** The stream of the weights' uploads. */
  CudaStream upload() {
    return upload;
  }

  public DeviceMemory memory() {
    return memory;
  }

  PinnedStaging staging() {
    return staging;
  }

  cublasLtContext blas() {
    return blas;
  }

  cudnnContext dnn() {
    return dnn;
  }

  /** A call of a kernel for the type of activations. */
  Launches kernel(String name) {
    return launches.of(name, dtype);
  }

  /** A call of a kernel for another type, or for none. */
  public Launches kernel(String name, @Nullable DType type) {
    return launches.of(name, type);
  }

  /**
   * Address of memory that operators of the compute stream share, one after another: at least so
   * many bytes.
   *
   * @param what for the message if there is none
   */
  long workspace(long bytes, String what) {
    if (capturing) {
      return capturedWorkspace(bytes, what);
    }
    if (bytes > workspaceBytes) {
      releaseWorkspace();
      workspace = memory.borrow(bytes, compute, "the workspace of " + what);
      workspaceBytes = bytes;
    }
    return workspace;
  }

  /** A graph keeps what it works in: memory of its own. */
  private long capturedWorkspace(long bytes, String what) {
    DeviceStorage s = capturedWorkspace;
    if (s == null || s.byteSize() < bytes) {
      releaseCapturedWorkspace();
      s = memory.allocate(Math.max(bytes, workspaceBytes), "the workspace of " + what);
      capturedWorkspace = s;
    }
    return s.address();
  }

  private void releaseCapturedWorkspace() {
    if (capturedWorkspace != null) {
      capturedWorkspace.close();
      capturedWorkspace = null;
    }
  }

  /** Whether a step is being captured. */
  public boolean isCapturing() {
    return capturing;
  }

  /** Throws where a step is being captured, of which something cannot be part. */
  void checkNotCapturing(String what) {
    if (capturing) {
      throw new IllegalStateException(what + " within a step that is captured");
    }
  }

  /** Memory that is allocated from now on belongs to a step that is captured. */
  void beginCapture() {
    memory.beginCapture();
    capturing = true;
  }

  /** Ends that. */
  DeviceMemory.Capture endCapture() {
    releaseCapturedWorkspace();
    capturing = false;
    return memory.endCapture();
  }

  /** Ends a capture that failed. */
  void abandonCapture() {
    releaseCapturedWorkspace();
    capturing = false;
    memory.abandonCapture();
  }

  void releaseWorkspace() {
    if (workspaceBytes > 0) {
      memory.giveBack(workspace, compute);
      workspace = 0;
      workspaceBytes = 0;
    }
  }

  /**
   * A tensor of this device.
   *
   * @param what for the message if there is no memory
   */
  public Tensor temporary(DType type, Shape shape, String what) {
    long bytes = Math.multiplyExact(shape.elements(), (long) type.bytes());
    return Tensor.owning(memory.allocate(bytes, what), type, shape);
  }

  /** Waits for all work; errors of work that failed are thrown. */
  void synchronize() {
    upload.synchronize();
    compute.synchronize();
  }

  /** Waits for all work before what it uses is given back; a device that failed has none left. */
  void settle() {
    cudaSetDevice(device);
    cudaStreamSynchronize(upload.handle());
    cudaStreamSynchronize(compute.handle());
  }

  @Override
  public void close() {
    settle();
    releaseWorkspace();
    closeOwned();
  }

  private void closeOwned() {
    while (!owned.isEmpty()) {
      try {
        owned.pop().close();
      } catch (RuntimeException e) {
        throw e;
      } catch (Exception e) {
        throw new CudaException("cuda:" + device + " could not be closed: " + e);
      }
    }
  }
}
