package io.github.distrifuser.pipelines;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Agreement;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.Denoisers;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.progress.ProgressReporter;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.trace.Timeline;
import io.github.distrifuser.trace.TracedCommunicator;
import io.github.distrifuser.trace.TracedDenoiser;
import io.github.distrifuser.weights.StateDict;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Who computes: one rank, this process's rank among others, or several threads of this process. The
 * front backend serves what is not divided: text encoders, and the VAE, with all of this process's
 * threads.
 */
final class Ranks implements AutoCloseable {
  private final DistriConfig config;
  private final ModelSource source;
  private final UNetConfig unet;
  private final LoadOptions options;
  private final RankSetup setup;
  private final RankPlan plan;
  private final Communicator linked; // the processes, for the backend's tensors
  private final Communicator world; // the same, traced; a group of one where ranks are threads
  private final Backend front;
  private final @Nullable Timeline timeline;
  private final StepStats stats = new StepStats();
  private @Nullable Backend decodeBackend;
  private @Nullable DeviceWeights weights;
  private @Nullable LocalTeam team;
  private @Nullable Denoiser denoiser;

  private Ranks(
      DistriConfig config,
      ModelSource source,
      UNetConfig unet,
      LoadOptions options,
      RankSetup setup,
      RankPlan plan) {
    this.config = config;
    this.source = source;
    this.unet = unet;
    this.options = options;
    this.setup = setup;
    this.plan = plan;
    this.timeline = options.trace() ? new Timeline() : null;
    this.front = setup.backend(plan.localRank(), plan.threadsOfFront());
    this.linked = linked(front, plan.world());
    this.world =
        timeline == null || plan.threads() > 1 ? linked : new TracedCommunicator(linked, timeline);
  }

  private static Communicator linked(Backend backend, Communicator world) {
    try {
      return backend.communicator(world);
    } catch (RuntimeException | Error e) {
      backend.close();
      throw e;
    }
  }

  /** Starts this rank's backend. */
  static Ranks start(
      DistriConfig config,
      ModelSource source,
      UNetConfig unet,
      LoadOptions options,
      RankPlan plan) {
    RankSetup setup = new RankSetup(options.device(), options.dtype(), options.winograd());
    return new Ranks(config, source, unet, options, setup, plan);
  }

  /** Loads the UNet. */
  void prepare() {
    if (world.size() > 1) {
      world.progress("comparing the models");
      Agreement.agree(world, Facts.ofModel(source, config, options, setup.dtype()));
    }
    world.progress("loading the model");
    StateDict dict = source.weights("unet", "diffusion_pytorch_model", options.variant());
    DeviceWeights all = new DeviceWeights(dict);
    weights = all;
    if (plan.threads() > 1) {
      team = new LocalTeam(plan, setup, timeline, (b, c) -> denoiser(b, all.of(b), c));
    }
    LoadingBar.during(
        loadingBars(),
        "unet",
        dict,
        () -> {
          Denoiser d = denoiser();
          d.prepare();
          return d;
        });
    dict.warnUnused();
  }

  /** How bars of loading are shown: on one of the processes. */
  ProgressReporter.Config loadingBars() {
    return world.rank() == 0 ? options.progress() : ProgressReporter.Config.disable(true);
  }

  private Denoiser denoiser(Backend backend, WeightStore store, Communicator communicator) {
    Denoiser d = Denoisers.of(unet, backend, store, communicator, config);
    return timeline == null ? d : new TracedDenoiser(d, communicator.worldRank(), timeline);
  }

  /** The processes that are ranks; a group of one where ranks are threads, or there is one. */
  Communicator world() {
    return world;
  }

  /** Number of ranks, threads and processes alike. */
  int count() {
    return plan.threads() > 1 ? plan.threads() : world.size();
  }

  int threadsPerRank() {
    LocalTeam t = team;
    return t == null ? front.threads() : t.threadsPerRank();
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
        b =
            new RankSetup(options.device(), DType.F32, options.winograd())
                .backend(plan.localRank(), plan.threadsOfFront());
        decodeBackend = b;
      }
      return b;
    }
    return front;
  }

  /** The denoiser, made anew where the last generation's failure broke it. */
  Denoiser denoiser() {
    DeviceWeights all = weights;
    if (all == null) {
      throw new IllegalStateException("the pipeline is closed");
    }
    LocalTeam t = team;
    if (t != null) {
      return t.denoiser();
    }
    Denoiser d = denoiser;
    if (d == null) {
      d = denoiser(front, all.of(front), world);
      denoiser = d;
    }
    return d;
  }

  /** What happened when, or null where it is not noted. */
  @Nullable Timeline timeline() {
    return timeline;
  }

  // --- what each local rank sends and waits for in each step ---

  void beginStats() {
    world.progress("preparing the first step");
    LocalTeam t = team;
    stats.begin(t == null ? List.of(world) : t.communicators());
    if (timeline != null) {
      timeline.clear();
    }
  }

  void recordStep() {
    stats.step();
  }

  StepStats stats() {
    return stats;
  }

  @Override
  public void close() {
    List<AutoCloseable> parts = new ArrayList<>();
    parts.add(denoiser);
    parts.add(team);
    parts.add(weights);
    parts.add(decodeBackend);
    if (linked != plan.world()) {
      parts.add(linked);
    }
    parts.add(front);
    denoiser = null;
    team = null;
    weights = null;
    decodeBackend = null;
    Closing.all(parts);
  }
}
