package io.github.distrifuser.pipelines;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.models.vae.AutoencoderKL;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.progress.ProgressReporter;
import io.github.distrifuser.random.TorchGenerator;
import io.github.distrifuser.schedulers.Scheduler;
import io.github.distrifuser.schedulers.SchedulerKind;
import io.github.distrifuser.schedulers.Schedulers;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.trace.Timeline;
import io.github.distrifuser.weights.ModelConfig;
import io.github.distrifuser.weights.WeightsException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The parts of a loaded pipeline: ranks and their denoiser, text encoders, VAE, scheduler. What is
 * needed late is loaded late.
 */
public final class PipelineParts implements AutoCloseable {
  private final RankPlan plan;
  private final ModelSource source;
  private final LoadOptions options;
  private final ModelConfig index;
  private final UNetConfig unetConfig;
  private final Ranks ranks;
  private final VaeDecoder vae;
  private final List<TextEncoder> textEncoders = new ArrayList<>();
  private Scheduler scheduler;

  private PipelineParts(
      DistriConfig config, ModelSource source, LoadOptions options, RankPlan plan) {
    this.plan = plan;
    this.source = source;
    this.options = options;
    this.index = source.config("model_index.json");
    this.unetConfig = UNetConfig.of(source.config("unet/config.json"));
    this.scheduler = scheduler(options.scheduler());
    this.ranks = Ranks.start(config, source, unetConfig, options, plan);
    this.vae = new VaeDecoder(source, options.variant(), ranks);
  }

  /**
   * Loads a model for a pipeline.
   *
   * @param pipelineClasses diffusers' names of the pipelines that may be asked for
   * @throws WeightsException where the model is of another pipeline, or something is wrong with it
   */
  public static PipelineParts load(
      DistriConfig config, String model, LoadOptions options, List<String> pipelineClasses) {
    RankPlan plan = RankPlan.find(options);
    PipelineParts parts = null;
    try {
      ModelSource source =
          SharedStart.await(plan.world(), () -> ModelSource.resolve(model, options));
      ModelConfig index = source.config("model_index.json");
      String found = index.getString("_class_name");
      if (!pipelineClasses.contains(found)) {
        throw new WeightsException(
            index.source(),
            "_class_name: expected " + String.join(" or ", pipelineClasses) + ", found " + found);
      }
      parts = new PipelineParts(config, source, options, plan);
      parts.ranks.prepare();
      return parts;
    } catch (RuntimeException | Error e) {
      plan.failed(e);
      Closing.all(List.of(parts == null ? plan : parts));
      throw e;
    }
  }

  /** The folder's model_index.json. */
  public ModelConfig index() {
    return index;
  }

  /** The model, as it was asked for. */
  public String modelName() {
    return source.name();
  }

  UNetConfig unetConfig() {
    return unetConfig;
  }

  /** How many times smaller latents are than pictures. */
  int vaeScaleFactor() {
    return vae.config().downFactor();
  }

  /** Type of activations. */
  public DType dtype() {
    return ranks.front().dtype();
  }

  /** The backend that text encoders run on. */
  public Backend backend() {
    return ranks.front();
  }

  Communicator world() {
    return ranks.world();
  }

  /** Number of ranks, threads and processes alike. */
  public int ranks() {
    return ranks.count();
  }

  /** CPU threads of each rank. */
  public int threadsPerRank() {
    return ranks.threadsPerRank();
  }

  Denoiser denoiser() {
    return ranks.denoiser();
  }

  /**
   * A text encoder with its tokenizer, or null where the model has none.
   *
   * @param suffix {@code ""} or {@code "_2"}
   */
  public @Nullable TextEncoder textEncoder(String suffix, boolean withProjection) {
    if (source.isRandom() || index.componentClass("text_encoder" + suffix) == null) {
      return null;
    }
    TextEncoder e =
        new TextEncoder(
            source, options.variant(), ranks.front(), suffix, withProjection, ranks.loadingBars());
    textEncoders.add(e);
    return e;
  }

  void afterEncoding() {
    if (options.releaseAfterUse()) {
      textEncoders.forEach(TextEncoder::release);
      ranks.front().trim();
    }
  }

  /** Seeded embeddings for models without text encoders. */
  PromptEmbeds randomEmbeds(int prompts, boolean guidance) {
    TorchGenerator g = new TorchGenerator(options.seed());
    int width = unetConfig.crossAttentionDim().get(unetConfig.crossAttentionDim().size() - 1);
    int joined = unetConfig.projectionClassEmbeddingsInputDim();
    int pooled = joined - 6 * unetConfig.additionTimeEmbedDim();
    return new PromptEmbeds(
        normal(g, prompts, 77, width),
        guidance ? normal(g, prompts, 77, width) : null,
        joined == 0 ? null : normal(g, prompts, pooled),
        joined == 0 || !guidance ? null : normal(g, prompts, pooled));
  }

  private static NdArray normal(TorchGenerator g, long... dims) {
    return NdArray.of(g.randn(dims), dims);
  }

  // --- scheduler ---

  private Scheduler scheduler(SchedulerKind kind) {
    ModelConfig c = source.config("scheduler/scheduler_config.json");
    try {
      return Schedulers.fromConfig(kind, c.toMap());
    } catch (IllegalArgumentException e) {
      throw new WeightsException(c.source(), String.valueOf(e.getMessage()), e);
    }
  }

  synchronized void setScheduler(SchedulerKind kind) {
    scheduler = scheduler(kind);
  }

  synchronized Scheduler newScheduler() {
    return scheduler.fresh();
  }

  /** Writes the model with the present scheduler, on rank 0. */
  void save(Path folder) {
    if (ranks.world().rank() == 0) {
      PretrainedFolder.write(source, options.variant(), index, newScheduler().config(), folder);
    }
  }

  // --- decoding ---

  boolean decodesHere() {
    return ranks.world().rank() == 0;
  }

  AutoencoderKL vae() {
    return vae.vae();
  }

  List<GeneratedImage> decode(NdArray latents, ProgressReporter.Config bars) {
    return vae.decode(latents, bars);
  }

  // --- what a run did ---

  @Nullable Timeline timeline() {
    return ranks.timeline();
  }

  void beginStats() {
    ranks.beginStats();
  }

  void recordStep() {
    ranks.recordStep();
  }

  RunReport report(double encode, List<Double> steps, double decode) {
    StepStats s = ranks.stats();
    return new RunReport(encode, steps, decode, s.bytesSent(), s.waitSeconds());
  }

  /** Tells the other ranks that this one has failed, so that they need not wait for it. */
  void failed(Throwable cause) {
    plan.failed(cause);
  }

  @Override
  public void close() {
    Closing.all(List.of(vae, ranks, plan));
  }
}
