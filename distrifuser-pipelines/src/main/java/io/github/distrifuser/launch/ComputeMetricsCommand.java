package io.github.distrifuser.launch;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.Backends;
import io.github.distrifuser.comm.RankEnvironment;
import io.github.distrifuser.launch.ComputeMetricsOptions.Metric;
import io.github.distrifuser.metrics.Comparison;
import io.github.distrifuser.metrics.Fid;
import io.github.distrifuser.metrics.ImagePairs;
import io.github.distrifuser.metrics.Lpips;
import io.github.distrifuser.progress.ProgressLog;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.weights.StateDict;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The original's compute_metrics.py: PSNR, LPIPS and FID of two folders of pictures. */
public final class ComputeMetricsCommand {
  private final ComputeMetricsOptions options;
  private final Set<Metric> metrics;

  private ComputeMetricsCommand(ComputeMetricsOptions options) {
    this.options = options;
    this.metrics = options.metrics();
  }

  /**
   * Runs compute_metrics.
   *
   * @return the exit status: 0 done, 2 the command line is wrong, 1 anything else
   */
  public static int run(String[] args) {
    return CommandLineTool.run(
        "compute_metrics",
        new ComputeMetricsOptions(),
        args,
        o -> new ComputeMetricsCommand(o).run());
  }

  private void run() {
    Targets.folder("--input_root0", options.inputRoot0);
    Targets.folder("--input_root1", options.inputRoot1);
    Targets.file("--report", options.report);
    MetricWeights.check(options);
    ImagePairs pairs = new ImagePairs(options.inputRoot0, options.inputRoot1, options.isGt);
    if (metrics.contains(Metric.FID) && pairs.pairs().size() < 2) {
      throw new IllegalArgumentException(
          options.inputRoot0 + ": FID needs at least two pictures; leave it out with --metrics");
    }
    try (Backend backend =
        Backends.choose(options.device)
            .create(new BackendOptions(DType.F32, RankEnvironment.threads(System.getenv()), 0))) {
      measure(pairs, backend);
    }
  }

  private void measure(ImagePairs pairs, Backend backend) {
    Comparison.@Nullable PairResults results = null;
    Double distance = null;
    long n = pairs.pairs().size();
    boolean paired = metrics.contains(Metric.PSNR) || metrics.contains(Metric.LPIPS);
    boolean fid = metrics.contains(Metric.FID);
    try (ProgressLog log = ProgressLog.start("pictures", (paired ? n : 0) + (fid ? 2 * n : 0))) {
      Comparison c = new Comparison(options.batchSize, Math.max(1, options.numWorkers), log::step);
      if (paired) {
        results = pairs(c, pairs, backend);
      }
      if (fid) {
        distance = fid(c, backend);
      }
    }
    print(results, distance);
    if (options.report != null) {
      report(options.report, pairs, results, distance);
    }
  }

  private Comparison.PairResults pairs(Comparison c, ImagePairs pairs, Backend backend) {
    if (!metrics.contains(Metric.LPIPS)) {
      return c.pairs(pairs, null);
    }
    try (Lpips lpips = MetricWeights.lpips(options, backend)) {
      return c.pairs(pairs, lpips);
    }
  }

  private double fid(Comparison c, Backend backend) {
    try (StateDict weights = MetricWeights.inception(options);
        Fid fid = new Fid(backend, weights)) {
      List<float[]> first = c.features(options.inputRoot0, fid);
      return Fid.distance(first, c.features(options.inputRoot1, fid));
    }
  }

  // --- results ---

  private void print(Comparison.@Nullable PairResults results, @Nullable Double fid) {
    if (results != null && results.infiniteBatches() > 0) {
      System.err.println(
          results.infiniteBatches() + " batches of equal pictures are left out of PSNR's mean");
    }
    if (results != null && metrics.contains(Metric.PSNR)) {
      System.out.println("PSNR: " + text(results.psnr()));
    }
    if (results != null && metrics.contains(Metric.LPIPS)) {
      System.out.println("LPIPS: " + text(results.lpips()));
    }
    if (fid != null) {
      System.out.println("FID: " + text(fid));
    }
  }

  private static String text(double v) {
    return Double.isInfinite(v) ? "inf" : Double.toString(v);
  }

  private void report(
      Path file, ImagePairs pairs, Comparison.@Nullable PairResults results, @Nullable Double fid) {
    JsonMapper json = new JsonMapper();
    ObjectNode n = json.createObjectNode();
    n.put("input_root0", options.inputRoot0.toString());
    n.put("input_root1", options.inputRoot1.toString());
    n.put("is_gt", options.isGt);
    n.put("batch_size", options.batchSize);
    n.put("count", pairs.pairs().size());
    if (results != null && metrics.contains(Metric.PSNR)) {
      n.put("psnr", finite(results.psnr()));
      n.put("psnr_infinite_batches", results.infiniteBatches());
    }
    if (results != null && metrics.contains(Metric.LPIPS)) {
      n.put("lpips", results.lpips());
    }
    if (fid != null) {
      n.put("fid", fid);
    }
    if (results != null) {
      ArrayNode each = n.putArray("pairs");
      for (Comparison.PairResult r : results.pairs()) {
        ObjectNode p = each.addObject().put("name", r.name()).put("psnr", finite(r.psnr()));
        if (metrics.contains(Metric.LPIPS)) {
          p.put("lpips", r.lpips());
        }
      }
    }
    JsonReports.write(file, n);
  }

  /** JSON has no infinity: null says that pictures are equal. */
  private static @Nullable Double finite(double v) {
    return Double.isInfinite(v) ? null : v;
  }
}
