package io.github.distrifuser.launch;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The options of generate_coco: the original's, and where the captions come from. */
@Command(sortOptions = false, mixinStandardHelpOptions = false)
final class GenerateCocoOptions extends PipelineOptions {

  @Option(
      names = {"--captions", "--prompts"},
      required = true,
      description =
          "dataset_coco.json of the Karpathy split, COCO's captions_val2014.json, prompts.json as"
              + " dump_coco writes it, or a text file of one caption a line")
  Path captions = Path.of("");

  @Option(
      names = "--num_images",
      description =
          "how many, from the first caption on; fewer where there are fewer captions (${DEFAULT-VALUE})")
  int numImages = 5000;

  @Option(
      names = "--split",
      arity = "2",
      parameterConsumer = Converters.Two.class,
      description = "I N: only part I, from 0, of N equal parts")
  @Nullable List<Integer> split;

  @Option(
      names = "--seed",
      description = "picture i is drawn with the noise of this seed plus i (${DEFAULT-VALUE})")
  long seed;

  @Option(
      names = "--output_root",
      description =
          "folder of the pictures, 0000.png and so on;"
              + " default: results/coco/SCHEDULER-STEPS/gpusN-warmupW-MODE")
  @Nullable Path outputRoot;

  @Override
  public void check() {
    require(numImages >= 1, "--num_images must be positive, found " + numImages);
    if (split != null) {
      require(
          split.get(0) >= 0 && split.get(0) < split.get(1),
          "--split I N needs 0 <= I < N, found " + split.get(0) + " " + split.get(1));
    }
    distriConfig();
  }

  /** First picture of this part, and the one behind its last. */
  int[] range(int available) {
    int total = Math.min(numImages, available);
    if (split == null) {
      return new int[] {0, total};
    }
    int parts = split.get(1);
    long chunk = (total + parts - 1L) / parts;
    long begin = Math.min(total, split.get(0) * chunk);
    return new int[] {(int) begin, (int) Math.min(total, begin + chunk)};
  }

  /**
   * The folder of the pictures. Where none is given its name has the original's form; N is the
   * number of devices that share a picture, and a parallelism other than patches stands in the
   * mode's place.
   */
  Path outputRoot(int ranks) {
    if (outputRoot != null) {
      return outputRoot;
    }
    int sharing = noSplitBatch || ranks % 2 == 1 ? ranks : ranks / 2;
    String how =
        switch (parallelism) {
          case PATCH -> syncMode.optionName();
          case NAIVE_PATCH -> parallelism.optionName() + "-" + splitScheme.optionName();
          case TENSOR -> parallelism.optionName();
        };
    return Path.of(
        "results",
        "coco",
        scheduler.cliName() + "-" + numInferenceSteps,
        "gpus" + sharing + "-warmup" + warmupSteps + "-" + how);
  }
}
