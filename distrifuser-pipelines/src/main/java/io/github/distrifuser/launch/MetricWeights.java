package io.github.distrifuser.launch;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.metrics.Lpips;
import io.github.distrifuser.weights.StateDict;
import io.github.distrifuser.weights.WeightFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where compute_metrics' networks get their weights: from the options, or from where torch and
 * clean-fid keep what they have downloaded.
 */
final class MetricWeights {
  private static final String ALEXNET = "alexnet-owt-7be5be79.pth";
  private static final String INCEPTION = "pt_inception-2015-12-05-6726825d.pth";
  private static final String INCEPTION_SCRIPT = "inception-2015-12-05.pt";

  private MetricWeights() {}

  /** LPIPS with its weights. */
  static Lpips lpips(ComputeMetricsOptions o, Backend backend) {
    Path lins = lpipsFile(o);
    try (StateDict lpips = WeightFiles.open(lins)) {
      if (lpips.has("net.slice1.0.weight") || lpips.has("features.0.weight")) {
        return new Lpips(backend, lpips, lpips);
      }
      try (StateDict alexnet = WeightFiles.open(alexnetFile(o))) {
        return new Lpips(backend, alexnet, lpips);
      }
    }
  }

  /** Inception's weights. */
  static StateDict inception(ComputeMetricsOptions o) {
    return WeightFiles.open(inceptionFile(o));
  }

  /** Tells what is missing before pictures are read. */
  static void check(ComputeMetricsOptions o) {
    if (o.metrics().contains(ComputeMetricsOptions.Metric.LPIPS)) {
      Path lins = lpipsFile(o);
      try (StateDict lpips = WeightFiles.open(lins)) {
        if (!lpips.has("net.slice1.0.weight") && !lpips.has("features.0.weight")) {
          alexnetFile(o);
        }
      }
    }
    if (o.metrics().contains(ComputeMetricsOptions.Metric.FID)) {
      inceptionFile(o);
    }
  }

  private static Path lpipsFile(ComputeMetricsOptions o) {
    return choose(
        "--lpips_weights",
        o.lpipsWeights,
        List.of(),
        "LPIPS needs its linear weights: lpips/weights/v0.1/alex.pth of the Python package lpips"
            + " (0.1.4), or leave LPIPS out with --metrics psnr,fid");
  }

  private static Path alexnetFile(ComputeMetricsOptions o) {
    return choose(
        "--alexnet_weights",
        o.alexnetWeights,
        List.of(checkpoints().resolve(ALEXNET)),
        "LPIPS needs AlexNet's weights: https://download.pytorch.org/models/"
            + ALEXNET
            + ", or leave LPIPS out with --metrics psnr,fid");
  }

  private static Path inceptionFile(ComputeMetricsOptions o) {
    List<Path> usual = new ArrayList<>(List.of(checkpoints().resolve(INCEPTION)));
    usual.add(Path.of(System.getProperty("java.io.tmpdir")).resolve(INCEPTION_SCRIPT));
    return choose(
        "--inception_weights",
        o.inceptionWeights,
        usual,
        "FID needs Inception's weights:"
            + " https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
            + INCEPTION
            + ", or leave FID out with --metrics psnr,lpips");
  }

  private static Path choose(
      String option, @Nullable Path given, List<Path> usual, String otherwise) {
    if (given != null) {
      Targets.input(option, given);
      return given;
    }
    return usual.stream()
        .filter(Files::isRegularFile)
        .findFirst()
        .orElseThrow(
            () ->
                new CommandLineTool.UsageException(
                    new IllegalArgumentException(option + " is not given: " + otherwise)));
  }

  /** torch's cache of downloaded weights. */
  private static Path checkpoints() {
    String torch = System.getenv("TORCH_HOME");
    String cache = System.getenv("XDG_CACHE_HOME");
    Path home;
    if (torch != null && !torch.isEmpty()) {
      home = Path.of(torch);
    } else if (cache != null && !cache.isEmpty()) {
      home = Path.of(cache, "torch");
    } else {
      home = Path.of(System.getProperty("user.home"), ".cache", "torch");
    }
    return home.resolve("hub").resolve("checkpoints");
  }
}
