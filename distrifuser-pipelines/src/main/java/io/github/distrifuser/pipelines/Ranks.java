package io.github.distrifuser.pipelines;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.CommStats;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.SoloCommunicator;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.weights.StateDict;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Who computes: one rank, this process's rank among others, or several threads of this process. The
 * front backend serves text encoders, and the VAE with all of this machine's threads.
 */
final class Ranks implements AutoCloseable {
  private final DistriConfig config;
  private final ModelSource source;
  private final UNetConfig unet;
  private final LoadOptions options;
  private final RankSetup setup;
  private final Communicator world;
  private final boolean ownsWorld;
  private final int localRanks;
  private final Backend front;
  private final List<Communicator> counted = new ArrayList<>();
  private final List<CommStats> atStepStart = new ArrayList<>();
  private final List<List<Long>> bytes = new ArrayList<>();
  private final List<List<Double>> waits = new ArrayList<>();
  private @Nullable Backend decodeBackend;
  private @Nullable WeightStore weights;
  private @Nullable Denoiser denoiser;

  private Ranks(
      DistriConfig config,
      ModelSource source,
      UNetConfig unet,
      LoadOptions options,
      Communicator world,
      boolean ownsWorld,
      int localRanks,
      int localRank) {
    this.config = config;
    this.source = source;
    this.unet = unet;
    this.options = options;
    this.world = world;
    this.ownsWorld = ownsWorld;
    this.localRanks = localRanks;
    this.setup = new RankSetup(options.device(), options.dtype(), options.threads());
    this.front = setup.backend(localRank, setup.threadsPerRank(localRanks));
  }

  /** Finds the ranks and starts this one's backend. */
  static Ranks start(
      DistriConfig config, ModelSource source, UNetConfig unet, LoadOptions options) {
    Communicator given = options.communicator();
    return new Ranks(
        config,
        source,
        unet,
        options,
        given == null ? new SoloCommunicator() : given,
        given == null,
        1,
        0);
  }

  /** Loads the UNet. */
  void prepare() {
    StateDict dict = source.weights("unet", "diffusion_pytorch_model", options.variant());
    WeightStore store = new WeightStore(dict);
    weights = store;
    Denoiser d = RankSetup.denoiser(unet, front, store, world, config);
    counted.add(world);
    denoiser = d;
    dict.warnUnused();
  }

  Communicator world() {
    return world;
  }

  /** Number of ranks, threads and processes alike. */
  int count() {
    return world.size();
  }

  int threadsPerRank() {
    return front.threads();
  }

  /** Serves what one rank does alone. */
  Backend front() {
    return front;
  }

  /** The VAE's backend: float32 where half precision would overflow. */
  Backend decoding(boolean forceUpcast) {
    if (front.dtype() == DType.F16 && forceUpcast) {
      Backend b = decodeBackend;
      if (b == null) {
        b = new RankSetup(options.device(), DType.F32, options.threads()).backend(0, 0);
        decodeBackend = b;
      }
      return b;
    }
    return front;
  }

  Denoiser denoiser() {
    Denoiser d = denoiser;
    if (d == null) {
      throw new IllegalStateException("the pipeline is closed");
    }
    return d;
  }

  // --- what each local rank sends and waits for in each step ---

  void beginStats() {
    bytes.clear();
    waits.clear();
    atStepStart.clear();
    for (Communicator c : counted) {
      bytes.add(new ArrayList<>());
      waits.add(new ArrayList<>());
      atStepStart.add(c.stats());
    }
  }

  void recordStep() {
    for (int i = 0; i < counted.size(); i++) {
      CommStats now = counted.get(i).stats();
      CommStats before = atStepStart.set(i, now);
      bytes.get(i).add(now.bytesSent() - before.bytesSent());
      waits.get(i).add((now.waitNanos() - before.waitNanos()) * 1e-9);
    }
  }

  List<List<Long>> bytesSent() {
    return bytes.stream().map(List::copyOf).toList();
  }

  List<List<Double>> waitSeconds() {
    return waits.stream().map(List::copyOf).toList();
  }

  /** Tells the other ranks that this one has failed. */
  void failed(Throwable cause) {
    if (world.size() > 1) {
      world.abort(String.valueOf(cause.getMessage()));
    }
  }

  @Override
  public void close() {
    if (denoiser != null) {
      denoiser.close();
      denoiser = null;
    }
    if (weights != null) {
      weights.close();
      weights = null;
    }
    if (decodeBackend != null) {
      decodeBackend.close();
      decodeBackend = null;
    }
    front.close();
    if (ownsWorld) {
      world.close();
    }
  }
}
