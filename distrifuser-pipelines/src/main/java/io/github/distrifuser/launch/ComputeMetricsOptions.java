package io.github.distrifuser.launch;

import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The options of compute_metrics: the original's, and where weights and results are. */
@Command(sortOptions = false, mixinStandardHelpOptions = false)
final class ComputeMetricsOptions extends BaseOptions {
  /** What can be measured. */
  enum Metric {
    PSNR,
    LPIPS,
    FID
  }

  @Option(names = "--input_root0", required = true, description = "a folder of PNG or JPEG files")
  Path inputRoot0 = Path.of("");

  @Option(
      names = "--input_root1",
      required = true,
      description = "the folder to compare it with; pictures are paired by their names")
  Path inputRoot1 = Path.of("");

  @Option(
      names = "--is_gt",
      description = "the first folder holds ground truth: resize it to 1024 x 1024")
  boolean isGt;

  @Option(
      names = "--batch_size",
      description = "pairs whose differences make one PSNR, as in the original (${DEFAULT-VALUE})")
  int batchSize = 64;

  @Option(names = "--num_workers", description = "threads that read pictures (${DEFAULT-VALUE})")
  int numWorkers = 8;

  @Option(names = "--metrics", description = "which of psnr,lpips,fid to compute (all)")
  String metrics = "psnr,lpips,fid";

  @Option(
      names = "--alexnet_weights",
      description = "torchvision's alexnet-owt-7be5be79.pth, or safetensors of it, for LPIPS")
  @Nullable Path alexnetWeights;

  @Option(
      names = "--lpips_weights",
      description =
          "alex.pth of the lpips package's weights/v0.1; one file that holds AlexNet too serves"
              + " alone")
  @Nullable Path lpipsWeights;

  @Option(
      names = "--inception_weights",
      description =
          "pt_inception-2015-12-05-6726825d.pth of pytorch-fid, inception-2015-12-05.pt of"
              + " clean-fid, or safetensors of either, for FID")
  @Nullable Path inceptionWeights;

  @Option(names = "--device", description = "auto (default), cpu or cuda")
  String device = "auto";

  @Option(names = "--report", description = "JSON of the results, pair by pair")
  @Nullable Path report;

  @Override
  public void check() {
    require(batchSize >= 1, "--batch_size must be positive, found " + batchSize);
    require(numWorkers >= 0, "--num_workers must not be negative, found " + numWorkers);
    metrics();
  }

  /** What to measure. */
  Set<Metric> metrics() {
    Set<Metric> chosen = EnumSet.noneOf(Metric.class);
    for (String name : metrics.split(",")) {
      try {
        chosen.add(Metric.valueOf(name.strip().toUpperCase(Locale.ROOT)));
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException(
            "--metrics: unknown '" + name.strip() + "': choose from psnr, lpips, fid", e);
      }
    }
    return chosen;
  }
}
