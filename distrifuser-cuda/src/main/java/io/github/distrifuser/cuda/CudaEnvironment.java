package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cublas.cublasLtGetVersion;
import static org.bytedeco.cuda.global.cudart.cuDriverGetVersion;
import static org.bytedeco.cuda.global.cudart.cudaDeviceSynchronize;
import static org.bytedeco.cuda.global.cudart.cudaMemGetInfo;
import static org.bytedeco.cuda.global.cudart.cudaRuntimeGetVersion;
import static org.bytedeco.cuda.global.cudart.cudaSetDevice;
import static org.bytedeco.cuda.global.cudnn.cudnnGetVersion;
import static org.bytedeco.cuda.global.nccl.ncclGetVersion;
import static org.bytedeco.cuda.global.nvrtc.nvrtcVersion;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.SizeTPointer;
import org.jspecify.annotations.Nullable;

/**
 * A device and the libraries that drive it, for reports.
 *
 * @param device what it calls itself
 * @param computeCapability as in {@code 9.0}
 * @param memoryBytes of the device, all of it
 * @param driver NVIDIA's number for the driver, or null where the system doesn't say
 * @param driverCuda newest CUDA that the driver knows, as in {@code 13.0}
 * @param runtime version of CUDA's runtime
 * @param nvrtc version of the compiler
 * @param cublas version of cuBLASLt
 * @param cudnn version of cuDNN
 * @param nccl version of NCCL, or null where it isn't installed; one rank needs none
 */
public record CudaEnvironment(
    String device,
    String computeCapability,
    long memoryBytes,
    @Nullable String driver,
    String driverCuda,
    String runtime,
    String nvrtc,
    String cublas,
    String cudnn,
    @Nullable String nccl) {
  private static final Path DRIVER = Path.of("/proc/driver/nvidia/version");
  private static final Pattern DRIVER_VERSION = Pattern.compile("\\b(\\d{3}\\.[\\d.]+)\\b");

  /** Bytes of a device: free now, by whoever uses it, and in all. */
  public record Memory(long free, long total) {}

  /**
   * Asks a device and the libraries.
   *
   * @throws IllegalStateException where CUDA can't be used, with the reason
   * @throws IllegalArgumentException for a number that no device has
   * @throws CudaException for a device that is too old
   */
  public static CudaEnvironment of(int device) {
    Memory memory = memory(device);
    int capability = Cuda.capability(device);
    int[] driver = new int[1];
    int[] runtime = new int[1];
    int[] major = new int[1];
    int[] minor = new int[1];
    cuDriverGetVersion(driver);
    cudaRuntimeGetVersion(runtime);
    nvrtcVersion(major, minor);
    return new CudaEnvironment(
        Cuda.name(device),
        capability / 10 + "." + capability % 10,
        memory.total,
        driverIn(DRIVER),
        Cuda.cuda(driver[0]),
        Cuda.cuda(runtime[0]),
        major[0] + "." + minor[0],
        Cuda.dotted(cublasLtGetVersion()),
        Cuda.dotted(cudnnGetVersion()),
        findNccl());
  }

  /**
   * What is free on a device once its work is done.
   *
   * @throws IllegalStateException where CUDA can't be used, with the reason
   * @throws IllegalArgumentException for a number that no device has
   * @throws CudaException for a device that is too old, or whose work has failed
   */
  public static Memory memory(int device) {
    String reason = Cuda.unavailableReason();
    if (reason != null) {
      throw new IllegalStateException(reason);
    }
    Cuda.checkDevice(device);
    try (SizeTPointer free = new SizeTPointer(1);
        SizeTPointer total = new SizeTPointer(1)) {
      CudaErrors.check(cudaSetDevice(device), "cudaSetDevice(" + device + ")");
      CudaErrors.check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
      CudaErrors.check(cudaMemGetInfo(free, total), "cudaMemGetInfo");
      return new Memory(free.get(), total.get());
    }
  }

  /** The number in what the kernel's module says of itself. */
  static @Nullable String driverIn(Path file) {
    try {
      Matcher m = DRIVER_VERSION.matcher(Files.readString(file));
      return m.find() ? m.group(1) : null;
    } catch (IOException e) {
      return null; // containers need not show it
    }
  }

  private static @Nullable String findNccl() {
    Path found = CudaLibraries.here().find(CudaLibraries.NCCL.file());
    if (found == null) {
      return null;
    }
    try {
      System.load(found.toString());
      Loader.load(org.bytedeco.cuda.global.nccl.class);
    } catch (LinkageError e) {
      return "unusable: " + String.valueOf(e.getMessage()).replace('\n', ' ');
    }
    int[] version = new int[1];
    ncclGetVersion(version);
    return Cuda.dotted(version[0]);
  }
}
