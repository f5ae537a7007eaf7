package io.github.distrifuser.launch;

import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.parallel.Parallelism;
import io.github.distrifuser.parallel.SplitScheme;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.ModelSource;
import io.github.distrifuser.pipelines.OutputType;
import io.github.distrifuser.schedulers.SchedulerKind;
import io.github.distrifuser.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The options of run_sdxl and run_sd, by the original's and diffusers' names. */
@Command(sortOptions = false, mixinStandardHelpOptions = false)
final class RunOptions implements ToolOptions {

  /** What a run does. */
  enum Mode {
    GENERATION,
    BENCHMARK
  }

  /** Where noise comes from. */
  enum GeneratorKind {
    TORCH_CPU,
    TORCH_CUDA
  }

  // --- what to run ---

  @Option(
      names = "--mode",
      converter = Converters.ModeOf.class,
      description = "generation (default) or benchmark, which runs many times and prints latency")
  Mode mode = Mode.GENERATION;

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

  @Option(names = "--device", description = "auto (default), cpu or cuda")
  String device = "auto";

  // --- what to draw ---

  @Option(names = "--prompt", description = "what to draw")
  @Nullable String prompt;

  @Option(names = "--prompt_2", description = "for the second text encoder; default: the same")
  @Nullable String prompt2;

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

  @Option(names = "--denoising_end", description = "fraction of the process at which to stop")
  @Nullable Double denoisingEnd;

  @Option(names = "--num_images_per_prompt", description = "pictures (1)")
  int numImagesPerPrompt = 1;

  @Option(
      names = "--original_size",
      arity = "2",
      parameterConsumer = Converters.Two.class,
      description = "H W: SDXL's size conditioning")
  @Nullable List<Integer> originalSize;

  @Option(
      names = "--crops_coords_top_left",
      arity = "2",
      parameterConsumer = Converters.Two.class,
      description = "Y X")
  @Nullable List<Integer> cropsCoordsTopLeft;

  @Option(
      names = "--target_size",
      arity = "2",
      parameterConsumer = Converters.Two.class,
      description = "H W")
  @Nullable List<Integer> targetSize;

  @Option(
      names = "--negative_original_size",
      arity = "2",
      parameterConsumer = Converters.Two.class,
      description = "H W")
  @Nullable List<Integer> negativeOriginalSize;

  @Option(
      names = "--negative_crops_coords_top_left",
      arity = "2",
      parameterConsumer = Converters.Two.class,
      description = "Y X")
  @Nullable List<Integer> negativeCropsCoordsTopLeft;

  @Option(
      names = "--negative_target_size",
      arity = "2",
      parameterConsumer = Converters.Two.class,
      description = "H W")
  @Nullable List<Integer> negativeTargetSize;

  @Option(
      names = "--scheduler",
      converter = Converters.SchedulerOf.class,
      description =
          "ddim (default), euler, dpm-solver, pndm, euler_ancestral, heun, lms, unipc, ddpm, lcm,"
              + " or default: the model's own")
  SchedulerKind scheduler = SchedulerKind.DDIM;

  @Option(names = "--seed", description = "seed of the noise (${DEFAULT-VALUE})")
  long seed = 1234;

  @Option(
      names = "--generator",
      converter = Converters.GeneratorOf.class,
      description = "torch-cpu (default) or torch-cuda: whose noise a seed gives")
  GeneratorKind generator = GeneratorKind.TORCH_CPU;

  @Option(
      names = "--latents",
      description = "safetensors with 'latents' [n, 4, h/8, w/8], unit noise instead of the seed")
  @Nullable Path latents;

  @Option(
      names = "--output_type",
      converter = Converters.OutputOf.class,
      description = "pil (default) for PNG, or latent")
  OutputType outputType = OutputType.IMAGE;

  @Option(names = "--output_path", description = "the PNG, or the safetensors file of latents")
  @Nullable Path outputPath;

  /** Name of the output, without its suffix, where no path is given. */
  String outputName = "output";

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

  // --- measuring ---

  @Option(names = "--warmup_times", description = "benchmark: untimed runs (${DEFAULT-VALUE})")
  int warmupTimes = 5;

  @Option(names = "--test_times", description = "benchmark: timed runs (${DEFAULT-VALUE})")
  int testTimes = 20;

  @Option(
      names = "--ignore_ratio",
      description = "benchmark: share of slowest and fastest runs to leave out (${DEFAULT-VALUE})")
  double ignoreRatio = 0.2;

  @Option(names = "--report", description = "JSON of the run")
  @Nullable Path report;

  @Option(names = "--trace", description = "Chrome trace of all ranks")
  @Nullable Path trace;

  @Option(names = "--verbose", description = "print the stack trace of an error")
  boolean verbose;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "print this")
  boolean help;

  @Override
  public boolean verbose() {
    return verbose;
  }

  /**
   * The checks that need no model.
   *
   * @throws IllegalArgumentException naming the option
   */
  @Override
  public void check() {
    require(warmupTimes >= 0, "--warmup_times must not be negative, found " + warmupTimes);
    require(testTimes >= 1, "--test_times must be positive, found " + testTimes);
    require(
        ignoreRatio >= 0 && ignoreRatio < 1,
        "--ignore_ratio must be in [0, 1), found " + ignoreRatio);
    require(numImagesPerPrompt >= 1, "--num_images_per_prompt must be positive");
    distriConfig();
  }

  private static void require(boolean holds, String message) {
    if (!holds) {
      throw new IllegalArgumentException(message);
    }
  }

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

  LoadOptions loadOptions() {
    return LoadOptions.builder()
        .variant(variant)
        .dtype(dtype)
        .device(device)
        .scheduler(scheduler)
        .trace(trace != null)
        .revision(revision)
        .build();
  }
}
