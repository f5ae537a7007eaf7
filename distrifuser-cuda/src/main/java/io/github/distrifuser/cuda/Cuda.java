package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cublas.cublasLtGetVersion;
import static org.bytedeco.cuda.global.cudart.cuDeviceGetName;
import static org.bytedeco.cuda.global.cudart.cuDeviceGetUuid;
import static org.bytedeco.cuda.global.cudart.cuDriverGetVersion;
import static org.bytedeco.cuda.global.cudart.cuInit;
import static org.bytedeco.cuda.global.cudart.cudaDevAttrComputeCapabilityMajor;
import static org.bytedeco.cuda.global.cudart.cudaDevAttrComputeCapabilityMinor;
import static org.bytedeco.cuda.global.cudart.cudaDevAttrMemoryPoolsSupported;
import static org.bytedeco.cuda.global.cudart.cudaDeviceGetAttribute;
import static org.bytedeco.cuda.global.cudart.cudaGetDeviceCount;
import static org.bytedeco.cuda.global.cudart.cudaGetLastError;
import static org.bytedeco.cuda.global.cudart.cudaRuntimeGetVersion;
import static org.bytedeco.cuda.global.cudnn.cudnnGetVersion;

import io.github.distrifuser.tensor.DType;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import org.bytedeco.cuda.cudart.CUuuid;
import org.bytedeco.javacpp.Loader;
import org.jspecify.annotations.Nullable;

/** CUDA's libraries, loaded once, when this class is first asked. */
public final class Cuda {
  /** Versions below which we say no, as the libraries number them. */
  static final int DRIVER = 13000;

  static final int RUNTIME = 13000;
  static final long CUBLAS = 130000;
  static final long CUDNN = 91900;

  /** Oldest GPUs that CUDA 13 compiles for. */
  static final int COMPUTE_CAPABILITY = 75;

  private Cuda() {}

  static final class Library {
    static final @Nullable String FAILURE = load();

    private static @Nullable String load() {
      CudaLibraries libraries = CudaLibraries.here();
      String missing = libraries.missing();
      if (missing != null) {
        return missing;
      }
      try {
        preload(libraries, CudaLibraries.DRIVER);
        Loader.load(org.bytedeco.cuda.global.cudart.class);
        for (CudaLibraries.Wanted w : CudaLibraries.WANTED) {
          preload(libraries, w.file());
        }
        Loader.load(org.bytedeco.cuda.global.cublas.class);
        Loader.load(org.bytedeco.cuda.global.cudnn.class);
        Loader.load(org.bytedeco.cuda.global.nvrtc.class);
        return null;
      } catch (LinkageError | RuntimeException e) {
        return "CUDA's libraries cannot be loaded for "
            + Loader.getPlatform()
            + ": "
            + String.valueOf(e.getMessage()).replace('\n', ' ');
      }
    }

    /** Loads a library from where it was found, so that those that need it find it loaded. */
    static void preload(CudaLibraries libraries, String file) {
      Path found = libraries.find(file);
      if (found != null) {
        System.load(found.toString());
      }
    }
  }

  /** Null where CUDA can be used, else why not, in one line. */
  static @Nullable String unavailableReason() {
    try {
      if (Library.FAILURE != null) {
        return Library.FAILURE;
      }
    } catch (LinkageError e) {
      return "JavaCPP cannot be loaded: " + e;
    }
    return problem();
  }

  private static @Nullable String problem() {
    int[] driver = new int[1];
    int[] runtime = new int[1];
    cuDriverGetVersion(driver);
    if (driver[0] < DRIVER) {
      return tooOld("NVIDIA's driver (libcuda.so.1)", "CUDA ", cuda(driver[0]), cuda(DRIVER));
    }
    cudaRuntimeGetVersion(runtime);
    if (runtime[0] < RUNTIME) {
      return tooOld("libcudart", "", cuda(runtime[0]), cuda(RUNTIME));
    }
    long blas = cublasLtGetVersion();
    if (blas < CUBLAS) {
      return tooOld("cuBLAS (libcublasLt)", "", dotted(blas), dotted(CUBLAS));
    }
    long dnn = cudnnGetVersion();
    if (dnn < CUDNN) {
      return tooOld("cuDNN (libcudnn_graph)", "", dotted(dnn), dotted(CUDNN));
    }
    int status = cuInit(0);
    int[] count = new int[1];
    if (status == 0) {
      status = cudaGetDeviceCount(count);
      cudaGetLastError();
    }
    if (status != 0 || count[0] == 0) {
      return "NVIDIA's driver is here and finds no GPU"
          + (status == 0 ? "" : ": " + CudaErrors.describe(status));
    }
    return null;
  }

  static String tooOld(String what, String unit, String found, String needed) {
    return what + " is too old: found " + unit + found + ", needed " + unit + needed + " or newer";
  }

  private static String cuda(int version) {
    return version / 1000 + "." + version % 1000 / 10;
  }

  /** 91900 is 9.19.0. */
  static String dotted(long version) {
    return version / 10000 + "." + version / 100 % 100 + "." + version % 100;
  }

  /** Devices here; 0 where CUDA cannot be used. */
  static int deviceCount() {
    int[] count = new int[1];
    return unavailableReason() == null && cudaGetDeviceCount(count) == 0 ? count[0] : 0;
  }

  /** bfloat16 needs Ampere or newer. */
  static DType computeType(DType wanted) {
    boolean old = wanted == DType.BF16 && deviceCount() > 0 && capability(0) < 80;
    return old ? DType.F32 : wanted;
  }

  /** Ten times the major and once the minor number. */
  static int capability(int device) {
    return 10 * attribute(cudaDevAttrComputeCapabilityMajor, device)
        + attribute(cudaDevAttrComputeCapabilityMinor, device);
  }

  static int attribute(int which, int device) {
    int[] value = new int[1];
    CudaErrors.check(cudaDeviceGetAttribute(value, which, device), "cudaDeviceGetAttribute");
    return value[0];
  }

  /**
   * Throws where a device cannot serve.
   *
   * @throws IllegalArgumentException for a number that none has
   * @throws CudaException for a device that is too old
   */
  static void checkDevice(int device) {
    int count = deviceCount();
    if (device >= count) {
      throw new IllegalArgumentException(
          "there is no device cuda:" + device + ": this machine has " + count);
    }
    int capability = capability(device);
    if (capability < COMPUTE_CAPABILITY) {
      throw new CudaException(
          tooOld(
              "cuda:" + device + " (" + name(device) + ")",
              "compute capability ",
              capability / 10 + "." + capability % 10,
              COMPUTE_CAPABILITY / 10 + "." + COMPUTE_CAPABILITY % 10));
    }
    if (attribute(cudaDevAttrMemoryPoolsSupported, device) == 0) {
      throw new CudaException("cuda:" + device + " (" + name(device) + ") has no memory pools");
    }
  }

  /** What tells the device apart from all others of the world. */
  public static String uuid(int device) {
    try (CUuuid id = new CUuuid()) {
      CudaErrors.checkDriver(cuDeviceGetUuid(id, device), "cuDeviceGetUuid");
      byte[] bytes = new byte[16];
      id.bytes().get(bytes);
      return HexFormat.of().formatHex(bytes);
    }
  }

  /** What the device calls itself. */
  public static String name(int device) {
    byte[] b = new byte[128];
    CudaErrors.checkDriver(cuDeviceGetName(b, b.length, device), "cuDeviceGetName");
    String all = new String(b, StandardCharsets.UTF_8);
    int end = all.indexOf('\0');
    return end < 0 ? all : all.substring(0, end);
  }
}
