package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.dnnl_bf16;
import static org.bytedeco.dnnl.global.dnnl.dnnl_cpu;
import static org.bytedeco.dnnl.global.dnnl.dnnl_cpu_isa_avx2;
import static org.bytedeco.dnnl.global.dnnl.dnnl_engine_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_f16;
import static org.bytedeco.dnnl.global.dnnl.dnnl_f32;
import static org.bytedeco.dnnl.global.dnnl.dnnl_get_effective_cpu_isa;
import static org.bytedeco.dnnl.global.dnnl.dnnl_success;

import io.github.distrifuser.tensor.DType;
import org.bytedeco.dnnl.dnnl_engine;
import org.bytedeco.javacpp.Loader;
import org.jspecify.annotations.Nullable;

/** The native library: loaded once, with its one CPU engine. */
final class OneDnn {
  private OneDnn() {}

  /** Loads on first use. The engine lives as long as the process and holds no state. */
  private static final class Library {
    static final dnnl_engine ENGINE = new dnnl_engine();
    static final @Nullable String FAILURE = load();

    private static @Nullable String load() {
      try {
        Loader.load(org.bytedeco.dnnl.global.dnnl.class);
        check(dnnl_engine_create(ENGINE, dnnl_cpu, 0), "create an engine");
        if (Loader.getPlatform().endsWith("x86_64")
            && (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx2) != dnnl_cpu_isa_avx2) {
          return "this CPU has no AVX2, without which oneDNN has no fast kernels";
        }
        return null;
      } catch (LinkageError | RuntimeException e) {
        return "oneDNN's native library cannot be loaded for " + Loader.getPlatform() + ": " + e;
      }
    }
  }

  /** Null where the library can be used, else why not, in one line. */
  static @Nullable String unavailableReason() {
    try {
      return Library.FAILURE;
    } catch (LinkageError e) {
      return "JavaCPP cannot be loaded: " + e;
    }
  }

  static dnnl_engine engine() {
    if (Library.FAILURE != null) {
      throw new IllegalStateException(Library.FAILURE);
    }
    return Library.ENGINE;
  }

  /** oneDNN's data type for one of ours. */
  static int type(DType dtype) {
    return switch (dtype) {
      case F32 -> dnnl_f32;
      case F16 -> dnnl_f16;
      case BF16 -> dnnl_bf16;
      default -> throw new IllegalArgumentException("not a floating-point type: " + dtype);
    };
  }

  /** Throws unless a call succeeded. */
  static void check(int status, String what) {
    if (status != dnnl_success) {
      throw new IllegalStateException("oneDNN could not " + what + ": " + statusName(status));
    }
  }

  private static String statusName(int status) {
    return switch (status) {
      case 1 -> "out of memory";
      case 2 -> "invalid arguments";
      case 3 -> "not implemented";
      case 4 -> "last implementation reached";
      case 5 -> "run-time error";
      case 6 -> "not required";
      default -> "status " + status;
    };
  }
}
