package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.nccl.ncclGetVersion;

import org.bytedeco.cuda.global.nccl;
import org.bytedeco.javacpp.Loader;
import org.jspecify.annotations.Nullable;

/** NCCL, loaded once, when several ranks with a GPU each first ask for it. */
public final class NcclLibrary {
  /** What JavaCPP's bindings were made for; its configuration is larger than older ones'. */
  static final int VERSION = nccl.NCCL_VERSION_CODE;

  private NcclLibrary() {}

  private static final class Library {
    static final @Nullable String FAILURE = load();

    private static @Nullable String load() {
      CudaLibraries libraries = CudaLibraries.here();
      String missing = libraries.missing(CudaLibraries.NCCL);
      if (missing != null) {
        return missing;
      }
      try {
        Cuda.Library.preload(libraries, CudaLibraries.NCCL.file());
        Loader.load(nccl.class);
        return null;
      } catch (LinkageError | RuntimeException e) {
        return "NCCL cannot be loaded: " + String.valueOf(e.getMessage()).replace('\n', ' ');
      }
    }
  }

  /** Null where NCCL can be used, else why not, in one line. */
  public static @Nullable String unavailableReason() {
    if (Library.FAILURE != null) {
      return Library.FAILURE;
    }
    int[] version = new int[1];
    ncclGetVersion(version);
    return version[0] >= VERSION
        ? null
        : Cuda.tooOld("NCCL (libnccl)", "", Cuda.dotted(version[0]), Cuda.dotted(VERSION));
  }
}
