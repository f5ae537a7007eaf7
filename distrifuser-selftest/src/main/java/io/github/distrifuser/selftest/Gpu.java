package io.github.distrifuser.selftest;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.cuda.CudaBackendProvider;
import io.github.distrifuser.cuda.CudaEnvironment;
import io.github.distrifuser.tensor.DType;

/** The device that is tested: the first that the process sees. */
final class Gpu {
  static final int DEVICE = 0;

  private Gpu() {}

  static Backend open(DType dtype) {
    return new CudaBackendProvider().create(new BackendOptions(dtype, 0, DEVICE));
  }

  /** Bytes that are free, by whoever the others are used. */
  static long free() {
    return CudaEnvironment.memory(DEVICE).free();
  }

  /** Whether this process can still use the device: after some errors none can. */
  static boolean usable() {
    try {
      return free() >= 0;
    } catch (RuntimeException e) {
      return false;
    }
  }
}
