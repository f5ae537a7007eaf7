package io.github.distrifuser.backend.reference;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.BackendProvider;
import org.jspecify.annotations.Nullable;

/** Offers the {@link ReferenceBackend}; it works everywhere and comes last. */
public final class ReferenceBackendProvider implements BackendProvider {

  /** For {@link java.util.ServiceLoader}. */
  public ReferenceBackendProvider() {}

  @Override
  public String name() {
    return ReferenceBackend.NAME;
  }

  @Override
  public String deviceKind() {
    return "cpu";
  }

  @Override
  public int priority() {
    return 0;
  }

  @Override
  public @Nullable String unavailableReason() {
    return null;
  }

  @Override
  public int deviceCount() {
    return 1;
  }

  @Override
  public Backend create(BackendOptions options) {
    return new ReferenceBackend(options);
  }
}
