package io.github.distrifuser.cpu;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.BackendProvider;
import io.github.distrifuser.tensor.DType;
import org.jspecify.annotations.Nullable;

/** Offers {@link OneDnnBackend}: the CPU's preferred backend wherever its native library loads. */
public final class OneDnnBackendProvider implements BackendProvider {

  /** For ServiceLoader. */
  public OneDnnBackendProvider() {}

  @Override
  public String name() {
    return "onednn";
  }

  @Override
  public String deviceKind() {
    return "cpu";
  }

  @Override
  public int priority() {
    return 100;
  }

  @Override
  public @Nullable String unavailableReason() {
    return OneDnn.unavailableReason();
  }

  @Override
  public int deviceCount() {
    return 1;
  }

  @Override
  public DType computeType(DType wanted) {
    return ComputeTypes.of(wanted);
  }

  @Override
  public Backend create(BackendOptions options) {
    return new OneDnnBackend(options);
  }
}
