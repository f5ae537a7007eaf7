package io.github.distrifuser.launch;

import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.OutputType;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The options of run_sdxl and run_sd, by the original's and diffusers' names. */
@Command(sortOptions = false, mixinStandardHelpOptions = false)
final class RunOptions extends PipelineOptions {

  /** What a run does. */
  enum Mode {
    GENERATION,
    BENCHMARK
  }

  @Option(
      names = "--mode",
      converter = Converters.ModeOf.class,
      description = "generation (default) or benchmark, which runs many times and prints latency")
  Mode mode = Mode.GENERATION;

  // --- what to draw ---

  @Option(names = "--prompt", description = "what to draw")
  @Nullable String prompt;

  @Option(names = "--prompt_2", description = "for the second text encoder; default: the same")
  @Nullable String prompt2;

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

  @Option(names = "--seed", description = "seed of the noise (${DEFAULT-VALUE})")
  long seed = 1234;

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

  @Override
  LoadOptions.Builder loadOptions() {
    return super.loadOptions().trace(trace != null);
  }
}
