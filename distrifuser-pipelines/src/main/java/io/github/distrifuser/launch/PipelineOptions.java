package io.github.distrifuser.launch;

import io.github.distrifuser.backend.Winograd;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.parallel.Parallelism;
import io.github.distrifuser.parallel.SplitScheme;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.pipelines.GenerationRequest;
import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.ModelSource;
import io.github.distrifuser.random.Generator;
import io.github.distrifuser.random.TorchCudaGenerator;
import io.github.distrifuser.random.TorchGenerator;
import io.github.distrifuser.schedulers.SchedulerKind;
import io.github.distrifuser.tensor.DType;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/**
 * The options that make a pipeline and say how it draws, by the original's and diffusers' names:
 * what the mains that draw share.
 */
abstract class PipelineOptions extends BaseOptions {

  /** Where noise comes from. */
  enum GeneratorKind {
    TORCH_CPU,
    TORCH_CUDA
  }

  // --- what to run ---

  @Option(
      names = "--model",
      description =
          "a folder as diffusers saves it; a model of the hub, org/name or org/name@revision; or"
              + " random:sdxl, random:sd15: the full-size architecture with random weights;"
              + " default: the small model that comes with the library")
  String model = ModelSource.DEFAULT;

  @Option(names = "--revision", description = "branch, tag or commit of a model of the hub (main)")
  @Nullable String revision;

  @Option(names = "--variant", description = "weights' variant, such as fp16")
  @Nullable String variant;

  @Option(
      names = "--dtype",
      converter = Converters.DTypeOf.class,
      description = "float32 (default on CPUs), float16 (default on GPUs) or bfloat16")
  @Nullable DType dtype;

  @Option(
      names = "--winograd",
      converter = Converters.WinogradOf.class,
      description =
          "auto (default) or off: whether convolutions on CPUs may multiply less, with a relative error of a few millionths")
  Winograd winograd = Winograd.AUTO;

  @Option(names = "--device", description = "auto (default), cpu or cuda")
  String device = "auto";

  // --- what to draw ---

  @Option(names = "--negative_prompt", description = "what to keep away from")
  @Nullable String negativePrompt;

  @Option(names = "--negative_prompt_2", description = "the same for the second text encoder")
  @Nullable String negativePrompt2;

  @Option(
      names = "--image_size",
      arity = "1..2",
      parameterConsumer = Converters.OneOrTwo.class,
      description = "S, or H W, in pixels; default: the model's own size")
  @Nullable List<Integer> imageSize;

  @Option(names = "--num_inference_steps", description = "denoising steps (${DEFAULT-VALUE})")
  int numInferenceSteps = 50;

  @Option(
      names = "--guidance_scale",
      description = "how strongly the prompt pulls (SDXL 5, SD 7.5)")
  @Nullable Double guidanceScale;

  @Option(names = "--guidance_rescale", description = "0 (default) to 1")
  double guidanceRescale;

  @Option(names = "--eta", description = "share of DDPM's noise in DDIM (0)")
  double eta;

  @Option(names = "--clip_skip", description = "last layers of the text encoder to leave out")
  @Nullable Integer clipSkip;

  @Option(names = "--long_prompts", description = "encode prompts of any length whole, in chunks")
  boolean longPrompts;

  @Option(
      names = "--scheduler",
      converter = Converters.SchedulerOf.class,
      description =
          "ddim (default), euler, dpm-solver, pndm, euler_ancestral, heun, lms, unipc, ddpm, lcm,"
              + " or default: the model's own")
  SchedulerKind scheduler = SchedulerKind.DDIM;

  @Option(
      names = "--generator",
      converter = Converters.GeneratorOf.class,
      description = "torch-cpu (default) or torch-cuda: whose noise a seed gives")
  GeneratorKind generator = GeneratorKind.TORCH_CPU;

  // --- several ranks ---

  @Option(names = "--no_split_batch", description = "all ranks split the picture under guidance")
  boolean noSplitBatch;

  @Option(names = "--warmup_steps", description = "synchronous steps (${DEFAULT-VALUE})")
  int warmupSteps = 4;

  @Option(
      names = "--sync_mode",
      converter = Converters.SyncModeOf.class,
      description =
          "corrected_async_gn (default), stale_gn, sync_gn, separate_gn, full_sync or no_sync")
  SyncMode syncMode = SyncMode.CORRECTED_ASYNC_GN;

  @Option(
      names = "--parallelism",
      converter = Converters.ParallelismOf.class,
      description = "patch (default), tensor or naive_patch")
  Parallelism parallelism = Parallelism.PATCH;

  @Option(
      names = "--split_scheme",
      converter = Converters.SplitSchemeOf.class,
      description = "row, col or alternate (default), for naive_patch")
  SplitScheme splitScheme = SplitScheme.ALTERNATE;

  @Option(names = "--no_cuda_graph", description = "don't capture steps as CUDA graphs")
  boolean noCudaGraph;

  /** Rows asked for, or null. */
  @Nullable Integer height() {
    return imageSize == null ? null : imageSize.get(0);
  }

  /** Columns asked for, or null. */
  @Nullable Integer width() {
    return imageSize == null ? null : imageSize.get(imageSize.size() - 1);
  }

  DistriConfig distriConfig() {
    DistriConfig.Builder b =
        DistriConfig.builder()
            .doClassifierFreeGuidance(guidanceScale == null || guidanceScale > 1)
            .splitBatch(!noSplitBatch)
            .warmupSteps(warmupSteps)
            .mode(syncMode)
            .useCudaGraph(!noCudaGraph)
            .parallelism(parallelism)
            .splitScheme(splitScheme);
    if (imageSize != null) {
      for (int s : imageSize) {
        require(
            s >= 8 && s % 8 == 0, "--image_size has to be a positive multiple of 8 but is " + s);
      }
      b.height(imageSize.get(0)).width(imageSize.get(imageSize.size() - 1));
    }
    return b.build();
  }

  LoadOptions.Builder loadOptions() {
    return LoadOptions.builder()
        .variant(variant)
        .dtype(dtype)
        .winograd(winograd)
        .device(device)
        .scheduler(scheduler)
        .revision(revision);
  }

  /** What every request of these options has; the prompt and the noise are the caller's. */
  GenerationRequest.Builder requestBuilder(int defaultSize) {
    Integer height = height();
    Integer width = width();
    GenerationRequest.Builder b =
        GenerationRequest.builder()
            .height(height == null ? defaultSize : height)
            .width(width == null ? defaultSize : width)
            .numInferenceSteps(numInferenceSteps)
            .guidanceScale(guidanceScale)
            .guidanceRescale(guidanceRescale)
            .eta(eta)
            .clipSkip(clipSkip)
            .longPrompts(longPrompts);
    if (negativePrompt != null) {
      b.negativePrompt(negativePrompt);
    }
    if (negativePrompt2 != null) {
      b.negativePrompt2(negativePrompt2);
    }
    return b;
  }

  /** The noise of a seed. */
  Generator generator(long seed) {
    return generator == GeneratorKind.TORCH_CPU
        ? new TorchGenerator(seed)
        : new TorchCudaGenerator(seed);
  }
}
