package io.github.distrifuser.pipelines;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.BackendProvider;
import io.github.distrifuser.backend.Backends;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.models.unet.UNetDenoiser;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.parallel.NaivePatchDenoiser;
import io.github.distrifuser.parallel.PatchDenoiser;
import io.github.distrifuser.parallel.TensorParallelDenoiser;
import io.github.distrifuser.tensor.DType;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Chooses the backend and makes the denoiser of each rank. */
final class RankSetup {
  private static final Logger LOG = LoggerFactory.getLogger(RankSetup.class);

  private final BackendProvider provider;
  private final DType dtype;

  RankSetup(String device, @Nullable DType dtype) {
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
    return provider.create(new BackendOptions(dtype, rankThreads, device));
  }

  /** The denoiser of a rank. */
  static Denoiser denoiser(
      UNetConfig unet,
      Backend backend,
      WeightStore weights,
      Communicator world,
      DistriConfig config) {
    if (world.size() == 1) {
      return new UNetDenoiser(unet, new Layers(backend, weights));
    }
    return switch (config.parallelism()) {
      case PATCH -> new PatchDenoiser(unet, backend, weights, world, config);
      case NAIVE_PATCH -> new NaivePatchDenoiser(unet, new Layers(backend, weights), world, config);
      case TENSOR -> new TensorParallelDenoiser(unet, backend, weights, world, config);
    };
  }
}
