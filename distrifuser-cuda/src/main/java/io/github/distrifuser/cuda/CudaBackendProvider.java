package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.BackendProvider;
import io.github.distrifuser.tensor.DType;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Offers {@link CudaBackend} where there is an NVIDIA GPU. Without the driver's library nothing of
 * CUDA is loaded: this class knows the others' names only.
 */
public final class CudaBackendProvider implements BackendProvider {
  private static final Logger LOG = LoggerFactory.getLogger(CudaBackendProvider.class);

  /** For ServiceLoader. */
  public CudaBackendProvider() {}

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public String deviceKind() {
    return "cuda";
  }

  @Override
  public int priority() {
    return 200;
  }

  @Override
  public @Nullable String unavailableReason() {
    CudaLibraries libraries = CudaLibraries.here();
    String reason = libraries.missingDriver();
    if (reason != null) {
      return reason;
    }
    reason = Cuda.unavailableReason();
    if (reason != null) {
      LOG.warn("there is an NVIDIA driver here, but CUDA cannot be used: {}", reason);
    }
    return reason;
  }

  @Override
  public int deviceCount() {
    return Cuda.deviceCount();
  }

  @Override
  public DType computeType(DType wanted) {
    return Cuda.computeType(wanted);
  }

  @Override
  public Backend create(BackendOptions options) {
    String reason = unavailableReason();
    if (reason != null) {
      throw new IllegalStateException(reason);
    }
    return CudaBackend.open(options);
  }
}
