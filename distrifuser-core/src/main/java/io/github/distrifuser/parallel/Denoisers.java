package io.github.distrifuser.parallel;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.models.unet.UNetDenoiser;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.WeightStore;

/** Makes the denoiser that a configuration asks for. */
public final class Denoisers {
  private Denoisers() {}

  /**
   * One rank's denoiser; the plain UNet where there is one rank.
   *
   * @param weights of the UNet; may be shared by ranks that are threads
   * @param world all ranks
   */
  public static Denoiser of(
      UNetConfig unet,
      Backend backend,
      WeightStore weights,
      Communicator world,
      DistriConfig config) {
    if (world.size() == 1) {
      return new UNetDenoiser(unet, new Layers(backend, weights), config.useCudaGraph());
    }
    return switch (config.parallelism()) {
      case PATCH -> new PatchDenoiser(unet, backend, weights, world, config);
      case NAIVE_PATCH -> new NaivePatchDenoiser(unet, new Layers(backend, weights), world, config);
      case TENSOR -> new TensorParallelDenoiser(unet, backend, weights, world, config);
    };
  }
}
