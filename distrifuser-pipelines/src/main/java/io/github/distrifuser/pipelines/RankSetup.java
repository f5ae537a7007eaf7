package io.github.distrifuser.pipelines;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.BackendProvider;
import io.github.distrifuser.backend.Backends;
import io.github.distrifuser.backend.Winograd;
import io.github.distrifuser.tensor.DType;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Chooses the backend of each rank. */
final class RankSetup {
  private static final Logger LOG = LoggerFactory.getLogger(RankSetup.class);

  private final BackendProvider provider;
  private final DType dtype;
  private final Winograd winograd;

  RankSetup(String device, @Nullable DType dtype, Winograd winograd) {
    this.winograd = winograd;
    this.provider = Backends.choose(device);
    DType wanted =
        dtype != null ? dtype : provider.deviceKind().equals("cpu") ? DType.F32 : DType.F16;
    this.dtype = provider.computeType(wanted);
    if (this.dtype != wanted) {
      LOG.warn(
          "{} is slow or impossible on this {}: computing in {}",
          wanted.torchName(),
          provider.deviceKind(),
          this.dtype.torchName());
    }
  }

  /** Type of activations. */
  DType dtype() {
    return dtype;
  }

  /** A backend for a rank of this machine. */
  Backend backend(int localRank, int rankThreads) {
    int device = provider.deviceKind().equals("cpu") ? 0 : localRank % provider.deviceCount();
    return provider.create(new BackendOptions(dtype, rankThreads, device, winograd));
  }
}
