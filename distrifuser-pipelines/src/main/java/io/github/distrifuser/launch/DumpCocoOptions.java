package io.github.distrifuser.launch;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The options of dump_coco: the original's, and where COCO is. */
@Command(sortOptions = false, mixinStandardHelpOptions = false)
final class DumpCocoOptions extends BaseOptions {

  @Option(
      names = "--captions",
      description =
          "dataset_coco.json of the Karpathy split, or COCO's captions_val2014.json; with --images")
  @Nullable Path captions;

  @Option(
      names = "--images",
      description = "the folder of COCO's pictures, val2014 or the one above it; with --captions")
  @Nullable Path images;

  @Option(
      names = "--parquet",
      description =
          "a parquet file of the hub's dataset HuggingFaceM4/COCO, 2014_captions, split"
              + " validation; or a folder of them")
  @Nullable Path parquet;

  @Option(names = "--output_root", description = "gets prompts.json and images (${DEFAULT-VALUE})")
  Path outputRoot = Path.of("coco");

  @Option(names = "--num_images", description = "how many, from the first on (all)")
  int numImages = Integer.MAX_VALUE;

  @Override
  public void check() {
    boolean folder = captions != null && images != null;
    require(
        folder ? parquet == null : parquet != null && captions == null && images == null,
        "give either --captions and --images, or --parquet");
    require(numImages >= 1, "--num_images must be positive, found " + numImages);
  }
}
