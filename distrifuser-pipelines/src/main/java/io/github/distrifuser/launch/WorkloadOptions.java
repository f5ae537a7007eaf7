package io.github.distrifuser.launch;

import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.parallel.Parallelism;
import io.github.distrifuser.parallel.SplitScheme;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.ModelSource;
import io.github.distrifuser.plan.Workload;
import io.github.distrifuser.tensor.DType;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options of mains that look at a generation without running it. */
abstract class WorkloadOptions extends BaseOptions {

  @Option(
      names = "--model",
      description =
          "a folder as diffusers saves it, a model of the hub, random:sdxl (default), random:sd15"
              + " or landscapes; of a folder only the configurations are read")
  String model = "random:sdxl";

  @Option(
      names = "--image_size",
      arity = "1..2",
      parameterConsumer = Converters.OneOrTwo.class,
      description = "S, or H W, in pixels; default: the model's own size")
  @Nullable List<Integer> imageSize;

  @Option(
      names = "--guidance_scale",
      description = "1 or less: no guidance, which halves the batch (default: guidance)")
  @Nullable Double guidanceScale;

  @Option(names = "--num_images_per_prompt", description = "pictures drawn together (1)")
  int numImagesPerPrompt = 1;

  @Option(names = "--no_split_batch", description = "all ranks split the picture under guidance")
  boolean noSplitBatch;

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

  /** Numbers of ranks from a list such as {@code 1,2,4}. */
  static List<Integer> ranks(String option, String text, int most) {
    List<Integer> all =
        java.util.Arrays.stream(text.split(",", -1))
            .map(String::strip)
            .map(s -> s.matches("[0-9]{1,6}") ? Integer.parseInt(s) : 0)
            .toList();
    require(
        all.stream().allMatch(n -> n >= 1 && n <= most),
        option + " must be whole numbers from 1 to " + most + ", found '" + text + "'");
    return all;
  }

  @Override
  public void check() {
    require(numImagesPerPrompt >= 1, "--num_images_per_prompt must be positive");
    if (imageSize != null) {
      for (int s : imageSize) {
        require(
            s >= 8 && s % 8 == 0, "--image_size has to be a positive multiple of 8 but is " + s);
      }
    }
  }

  final ModelSource source() {
    return ModelSource.resolve(model, LoadOptions.defaults());
  }

  /**
   * The generation.
   *
   * @param dtype of activations and weights
   * @param warmupSteps synchronous steps beyond the first
   * @param steps calls of the model
   */
  final Workload workload(ModelSource source, DType dtype, int warmupSteps, int steps) {
    int factor = source.latentFactor();
    int own = source.unetConfig().sampleSize() * factor;
    DistriConfig config =
        DistriConfig.builder()
            .height(imageSize == null ? own : imageSize.get(0))
            .width(imageSize == null ? own : imageSize.get(imageSize.size() - 1))
            .doClassifierFreeGuidance(guidanceScale == null || guidanceScale > 1)
            .splitBatch(!noSplitBatch)
            .warmupSteps(warmupSteps)
            .mode(syncMode)
            .parallelism(parallelism)
            .splitScheme(splitScheme)
            .build();
    return new Workload(source.unetConfig(), config, factor, numImagesPerPrompt, dtype, steps);
  }
}
