package io.github.distrifuser.launch;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The options of export_html. */
@Command(sortOptions = false, mixinStandardHelpOptions = false)
final class ExportHtmlOptions extends BaseOptions {

  @Option(
      names = {"--input_roots", "--input_root"},
      required = true,
      arity = "1..*",
      parameterConsumer = Converters.Words.class,
      description = "folders of pictures, one column each; a picture's name is its row")
  List<String> inputRoots = new ArrayList<>();

  @Option(
      names = "--names",
      arity = "1..*",
      parameterConsumer = Converters.Words.class,
      description = "headings of the columns (the folders' names)")
  List<String> names = new ArrayList<>();

  @Option(
      names = {"--captions", "--prompts"},
      description = "a captions file, as generate_coco takes it; default: what the pictures say")
  @Nullable Path captions;

  @Option(names = "--output_path", description = "the page (${DEFAULT-VALUE})")
  Path outputPath = Path.of("index.html");

  @Option(names = "--title", description = "the page's title (${DEFAULT-VALUE})")
  String title = "COCO";

  @Option(names = "--image_width", description = "columns' width in pixels (${DEFAULT-VALUE})")
  int imageWidth = 256;

  @Option(names = "--num_images", description = "rows at most (all)")
  int numImages = Integer.MAX_VALUE;

  @Override
  public void check() {
    require(
        names.isEmpty() || names.size() == inputRoots.size(),
        "--names: expected " + inputRoots.size() + ", found " + names.size());
    require(imageWidth >= 1, "--image_width must be positive, found " + imageWidth);
    require(numImages >= 1, "--num_images must be positive, found " + numImages);
  }

  /** The folders. */
  List<Path> folders() {
    return inputRoots.stream().map(Path::of).toList();
  }
}
