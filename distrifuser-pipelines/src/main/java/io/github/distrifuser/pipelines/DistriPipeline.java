package io.github.distrifuser.pipelines;

import io.github.distrifuser.comm.Agreement;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.models.vae.AutoencoderKL;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.progress.ProgressReporter;
import io.github.distrifuser.random.Draws;
import io.github.distrifuser.random.Generator;
import io.github.distrifuser.random.TorchGenerator;
import io.github.distrifuser.schedulers.Scheduler;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.trace.Timeline;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * What the pipelines share: loading, the stages of a generation, and who decodes. One generation
 * runs at a time; calls from several threads wait for each other.
 */
public abstract class DistriPipeline implements AutoCloseable {
  private final DistriConfig config;
  private final PipelineParts parts;
  private final ReentrantLock running = new ReentrantLock(true);
  private volatile ProgressReporter.Config progress = ProgressReporter.Config.defaults();

  /** Loads a model; {@code PipelineParts} says what it holds. */
  protected DistriPipeline(DistriConfig config, PipelineParts parts) {
    this.config = config;
    this.parts = parts;
  }

  // --- what a kind of pipeline adds ---

  /** diffusers' default guidance scale of this pipeline. */
  protected abstract double defaultGuidanceScale();

  /** The encoder of its prompts; null where the model has no text encoders. */
  protected abstract @Nullable PromptEncoder promptEncoder();

  /** Size conditioning {@code [1, 6]} of a request, or null. */
  protected abstract @Nullable NdArray timeIds(
      GenerationRequest request, int height, int width, boolean negative);

  /** Names of the tensors that a callback may read and replace, in diffusers' order. */
  public abstract List<String> callbackTensorInputs();

  /** Frees what the subclass holds. */
  protected abstract void closeParts();

  // --- configuration ---

  /** The configuration that it was made with. */
  public final DistriConfig distriConfig() {
    return config;
  }

  /** The parts that it is made of. */
  public final PipelineParts parts() {
    return parts;
  }

  /** This process's rank; 0 where ranks are threads. */
  public final int rank() {
    return parts.world().rank();
  }

  /**
   * The ranks as processes, of which this is one; a group of one where there are none. For what an
   * application gathers itself, between generations and on all ranks alike.
   */
  public final Communicator communicator() {
    return parts.world();
  }

  /**
   * What this process's ranks did when in the last generation; empty unless {@link
   * LoadOptions#trace()} asks for it.
   */
  public final List<Timeline.Event> timeline() {
    Timeline t = parts.timeline();
    return t == null ? List.of() : t.events();
  }

  /** Number of ranks, threads and processes alike. */
  public final int worldSize() {
    return parts.ranks();
  }

  /** Rows and columns of the pictures that the model was made for. */
  public final int defaultSize() {
    return parts.unetConfig().sampleSize() * parts.vaeScaleFactor();
  }

  /** diffusers' set_progress_bar_config. */
  public final void setProgressBarConfig(ProgressReporter.Config newConfig) {
    progress = newConfig;
  }

  /** Replaces the scheduler by another kind, with the configuration of the model's. */
  public final void setScheduler(io.github.distrifuser.schedulers.SchedulerKind kind) {
    parts.setScheduler(kind);
  }

  /**
   * The VAE, for its settings and for pictures and latents of one's own; not while a generation
   * runs. The pipeline closes it.
   */
  public final AutoencoderKL vae() {
    return parts.vae();
  }

  /** diffusers' older name of {@link AutoencoderKL#enableTiling()}. */
  public final void enableVaeTiling() {
    vae().enableTiling();
  }

  /** diffusers' older name of {@link AutoencoderKL#disableTiling()}. */
  public final void disableVaeTiling() {
    vae().disableTiling();
  }

  /**
   * diffusers' older name of {@link AutoencoderKL#enableSlicing()}. A generation's pictures are
   * decoded one after another in any case.
   */
  public final void enableVaeSlicing() {
    vae().enableSlicing();
  }

  /** diffusers' older name of {@link AutoencoderKL#disableSlicing()}. */
  public final void disableVaeSlicing() {
    vae().disableSlicing();
  }

  /**
   * diffusers' save_pretrained: writes the model as a folder that diffusers and {@code
   * fromPretrained} read. Weights keep their numbers and types, a variant's files get the plain
   * names, and the scheduler is the present one. The folder is there whole or not at all. With
   * ranks as processes rank 0 writes.
   *
   * @param folder must not be there, or be empty
   * @throws IllegalArgumentException for a model of random weights
   * @throws io.github.distrifuser.weights.WeightsException naming the folder or the file at fault
   */
  public final void savePretrained(Path folder) {
    parts.save(folder);
  }

  // --- the call ---

  /**
   * Generates pictures. On several ranks as processes all call it with the same request.
   *
   * @throws IllegalArgumentException naming the argument that is wrong
   * @throws java.util.concurrent.CancellationException where the thread is interrupted or the
   *     deadline passes
   * @throws io.github.distrifuser.comm.CommException where another rank fails
   */
  public final PipelineOutput generate(GenerationRequest request) {
    Long deadline =
        request.deadline() == null ? null : System.nanoTime() + request.deadline().toNanos();
    running.lock();
    try {
      return generateNow(request, deadline);
    } catch (RuntimeException | Error e) {
      parts.failed(e);
      throw e;
    } finally {
      running.unlock();
    }
  }

  private PipelineOutput generateNow(GenerationRequest request, @Nullable Long deadline) {
    // 0. Default height and width
    UNetConfig unet = parts.unetConfig();
    int factor = parts.vaeScaleFactor();
    int height = request.height() == null ? config.height() : request.height();
    int width = request.width() == null ? config.width() : request.width();

    // 1. Check inputs
    parts.world().progress("comparing the request");
    RequestChecks.size(height, width, factor);
    checkPrompts(request);
    StepTensors.check(callbackTensorInputs(), request.callbackOnStepEndTensorInputs());
    double scale =
        request.guidanceScale() != null
            ? request.guidanceScale()
            : config.doClassifierFreeGuidance() ? defaultGuidanceScale() : 1;
    boolean guidance = scale > 1 && unet.timeCondProjDim() == 0;
    if (parts.world().size() > 1) {
      Agreement.agree(parts.world(), Facts.ofRequest(request, height, width));
    }

    // 2. Encode the prompt
    parts.world().progress("encoding the prompt");
    long begin = System.nanoTime();
    PromptEmbeds once = encode(request, guidance);
    int prompts = once.prompt().size(0);
    int images = prompts * request.numImagesPerPrompt();
    PromptEmbeds embeds = once.repeat(request.numImagesPerPrompt());
    double encodeSeconds = seconds(begin);

    // 3. Prepare timesteps
    Scheduler scheduler = parts.newScheduler();
    setTimesteps(scheduler, request);

    // 4. Prepare latents
    List<Generator> generators = generators(request, images);
    NdArray latents = latents(request, scheduler, generators, images, height, width);

    // 5. Prepare added conditions
    Conditioning conditioning =
        new Conditioning(
            height / factor,
            width / factor,
            guidance,
            timeIds(request, height, width, false),
            timeIds(request, height, width, true),
            timestepCond(scale, images));

    // 6. Denoise
    DenoisingLoop loop =
        new DenoisingLoop(parts.denoiser(), scheduler, request, conditioning, scale, generators);
    parts.beginStats();
    NdArray last;
    try (ProgressReporter bar = ProgressReporter.start(progress, "", loop.calls())) {
      last =
          loop.run(
              latents,
              embeds,
              callbackTensorInputs(),
              i -> parts.world().progress("step " + i),
              i -> {
                bar.step();
                parts.recordStep();
              },
              deadline);
    }

    // 7. Decode
    begin = System.nanoTime();
    boolean decode = request.outputType() == OutputType.IMAGE && parts.decodesHere();
    parts.world().progress(decode ? "decoding the pictures" : "the end of the generation");
    List<GeneratedImage> pictures =
        decode
            ? GenerationParameters.label(
                parts.decode(last, progress), request, parts, scheduler, scale, generators)
            : List.of();
    RunReport report = parts.report(encodeSeconds, loop.stepSeconds(), decode ? seconds(begin) : 0);
    return new PipelineOutput(pictures, last, loop.isInterrupted(), report);
  }

  private static double seconds(long begin) {
    return (System.nanoTime() - begin) * 1e-9;
  }

  private static void checkPrompts(GenerationRequest r) {
    if (r.embeds() != null && !r.prompt().isEmpty()) {
      throw new IllegalArgumentException("only one of prompt and prompt_embeds can be given");
    }
  }

  private PromptEmbeds encode(GenerationRequest request, boolean guidance) {
    PromptEmbeds given = request.embeds();
    if (given != null) {
      return given;
    }
    PromptEncoder encoder = promptEncoder();
    if (encoder == null) {
      return parts.randomEmbeds(Math.max(1, request.prompt().size()), guidance);
    }
    if (request.prompt().isEmpty()) {
      throw new IllegalArgumentException("one of prompt and prompt_embeds has to be given");
    }
    PromptEmbeds e = encoder.encode(request, guidance);
    parts.afterEncoding();
    return e;
  }

  private static void setTimesteps(Scheduler scheduler, GenerationRequest r) {
    if (!r.timesteps().isEmpty()) {
      scheduler.useTimesteps(r.timesteps().stream().mapToDouble(Double::doubleValue).toArray());
    } else if (!r.sigmas().isEmpty()) {
      scheduler.useSigmas(r.sigmas().stream().mapToDouble(Double::doubleValue).toArray());
    } else {
      scheduler.setTimesteps(r.numInferenceSteps());
    }
  }

  private List<Generator> generators(GenerationRequest r, int images) {
    if (!r.generators().isEmpty()) {
      RequestChecks.count("generator", r.generators().size(), images);
      return r.generators();
    }
    ByteBuffer seed = ByteBuffer.allocate(Long.BYTES);
    seed.putLong(0, new SecureRandom().nextLong() >>> 1);
    parts.world().broadcast(seed.array(), 0);
    return List.of(new TorchGenerator(seed.getLong(0)));
  }

  private NdArray latents(
      GenerationRequest r, Scheduler s, List<Generator> generators, int images, int h, int w) {
    int factor = parts.vaeScaleFactor();
    Shape shape = Shape.of(images, parts.unetConfig().inChannels(), h / factor, w / factor);
    NdArray noise = r.latents();
    if (noise == null) {
      noise = new NdArray(Draws.randn(generators, parts.dtype(), shape), shape);
    } else if (!noise.shape().equals(shape)) {
      throw new IllegalArgumentException("latents: expected " + shape + ", found " + noise.shape());
    }
    float sigma = s.initNoiseSigma();
    float[] scaled = new float[noise.data().length];
    for (int i = 0; i < scaled.length; i++) {
      scaled[i] = noise.data()[i] * sigma;
    }
    return new NdArray(scaled, shape);
  }

  /** Embedding of the guidance scale, for models that were distilled with it (LCM). */
  private @Nullable NdArray timestepCond(double scale, int images) {
    int dim = parts.unetConfig().timeCondProjDim();
    return dim == 0 ? null : GuidanceScaleEmbedding.of(scale - 1, dim).repeatInterleave(images);
  }

  /** Frees everything, ends threads and leaves the group of ranks. Idempotent. */
  @Override
  public final void close() {
    running.lock();
    try {
      closeParts();
      parts.close();
    } finally {
      running.unlock();
    }
  }
}
