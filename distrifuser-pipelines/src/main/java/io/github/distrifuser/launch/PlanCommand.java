package io.github.distrifuser.launch;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.distrifuser.pipelines.ModelSource;
import io.github.distrifuser.plan.AcceleratorModel;
import io.github.distrifuser.plan.Calibration;
import io.github.distrifuser.plan.DeviceModel;
import io.github.distrifuser.plan.LinkModel;
import io.github.distrifuser.plan.Planner;
import io.github.distrifuser.plan.Prediction;
import io.github.distrifuser.plan.Workload;
import io.github.distrifuser.plots.Figure;
import io.github.distrifuser.plots.Panel;
import java.util.List;
import java.util.Locale;
import java.util.function.IntFunction;

/**
 * Predicts what a generation takes on devices that need not be there: a table, and on request a
 * report and a plot.
 */
public final class PlanCommand {
  private static final double MEGA = 1e6;
  private static final double GIGA = 1e9;

  private final PlanOptions options;

  private PlanCommand(PlanOptions options) {
    this.options = options;
  }

  /**
   * Runs plan.
   *
   * @return the exit status
   */
  public static int run(String name, String[] args) {
    return CommandLineTool.run(name, new PlanOptions(), args, o -> new PlanCommand(o).run());
  }

  /** Where a plan's ranks run. */
  private record Place(String device, LinkModel link, IntFunction<DeviceModel> deviceOf) {}

  private void run() {
    Targets.file("--report", options.report);
    Targets.file("--plot", options.plot);
    ModelSource source = options.source();
    Workload workload;
    Planner planner;
    Place place;
    Prediction one;
    List<Prediction> rows;
    try {
      workload =
          options.workload(source, options.dtype(), options.warmupSteps, options.numInferenceSteps);
      planner = new Planner(workload);
      options.ranks().forEach(planner::recordings);
      place = options.calibrate ? here(source, planner) : elsewhere(planner);
      one = planner.predict(1, place.deviceOf.apply(1), place.link);
      rows = planner.predict(options.ranks(), place.deviceOf, place.link);
    } catch (IllegalArgumentException e) {
      throw new CommandLineTool.UsageException(e);
    }
    print(workload, place, one, rows);
    if (options.report != null) {
      JsonReports.write(options.report, report(workload, place, one, rows));
    }
    if (options.plot != null) {
      Figure.write(options.plot, panels(workload, place, one, rows));
    }
  }

  private Place elsewhere(Planner planner) {
    AcceleratorModel device = options.knownDevice().model();
    AcceleratorModel fitted =
        options.oneDeviceLatency == null ? device : planner.fit(device, options.oneDeviceLatency);
    return new Place(
        device.name(), options.knownLink().between(options.knownDevice()), n -> fitted);
  }

  private Place here(ModelSource source, Planner planner) {
    Calibration c = Calibration.run(planner, source.name(), options.ranks());
    return new Place("cpu", c.link(), c::device);
  }

  // --- the table ---

  private static double speedup(Prediction one, Prediction p) {
    return one.latency() / p.latency();
  }

  private void print(Workload w, Place place, Prediction one, List<Prediction> rows) {
    System.out.printf(
        Locale.ROOT,
        "%s, %d x %d, %d steps on %s, %s%n",
        options.model,
        w.config().height(),
        w.config().width(),
        w.steps(),
        place.device,
        place.link.name());
    System.out.println(" ranks  latency s  speed-up  wait ms/step  sent MB/step  peak GB/rank");
    for (Prediction p : rows) {
      System.out.printf(
          Locale.ROOT,
          "%6d %10.3f %9.2f %13.2f %13.1f %13.2f%s%n",
          p.ranks(),
          p.latency(),
          speedup(one, p),
          1e3 * p.waitSecondsPerStep(),
          p.bytesSentPerStep() / MEGA,
          p.peakBytes() / GIGA,
          fits(p) ? "" : "  more than the device has");
    }
  }

  private boolean fits(Prediction p) {
    return options.calibrate || p.peakBytes() <= options.knownDevice().memoryBytes();
  }

  // --- the report ---

  private ObjectNode report(Workload w, Place place, Prediction one, List<Prediction> rows) {
    ObjectNode r = JsonReports.object();
    r.put("model", options.model);
    r.put("height", w.config().height());
    r.put("width", w.config().width());
    r.put("num_inference_steps", w.steps());
    r.put("warmup_steps", w.config().warmupSteps());
    r.put("parallelism", w.config().parallelism().optionName());
    r.put("sync_mode", w.config().mode().optionName());
    r.put("split_batch", w.config().splitBatch());
    r.put("dtype", w.dtype().torchName());
    r.put("device", place.device);
    r.put("link", place.link.name());
    ArrayNode list = r.putArray("rows");
    for (Prediction p : rows) {
      ObjectNode row = list.addObject();
      row.put("ranks", p.ranks());
      row.put("latency_s", p.latency());
      row.put("speedup", speedup(one, p));
      row.put("wait_s_per_step", p.waitSecondsPerStep());
      row.put("bytes_sent_per_step", p.bytesSentPerStep());
      row.put("peak_bytes", p.peakBytes());
      row.set("step_s", JsonReports.tree(p.stepSeconds()));
      ArrayNode perRank = row.putArray("per_rank");
      for (Prediction.RankCost c : p.perRank()) {
        ObjectNode rank = perRank.addObject();
        rank.put("wait_s_per_step", c.waitSecondsPerStep());
        rank.put("bytes_sent_per_step", c.bytesSentPerStep());
        rank.put("peak_bytes", c.peakBytes());
      }
    }
    return r;
  }

  // --- the plot ---

  private List<Panel> panels(Workload w, Place place, Prediction one, List<Prediction> rows) {
    String what =
        "%s, %d x %d, %s"
            .formatted(options.model, w.config().height(), w.config().width(), place.device);
    List<Double> ranks = rows.stream().map(p -> (double) p.ranks()).toList();
    List<Double> seconds = rows.stream().map(Prediction::latency).toList();
    List<Double> speedups = rows.stream().map(p -> speedup(one, p)).toList();
    String line = place.link.name();
    return List.of(
        new Panel(
            what,
            "ranks",
            "latency (s)",
            Panel.Axes.DOUBLING_X,
            List.of(new Panel.Line(line, 0, ranks, seconds))),
        new Panel(
            w.steps() + " steps",
            "ranks",
            "speed-up",
            Panel.Axes.DOUBLING,
            List.of(
                new Panel.Line(line, 0, ranks, speedups),
                new Panel.Line("ideal", Panel.Line.COMPARISON, ranks, ranks))));
  }
}
