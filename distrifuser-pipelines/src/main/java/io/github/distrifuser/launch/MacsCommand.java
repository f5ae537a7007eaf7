package io.github.distrifuser.launch;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.distrifuser.plan.OperatorKind;
import io.github.distrifuser.plan.OperatorTotals;
import io.github.distrifuser.plan.Planner;
import io.github.distrifuser.plan.Workload;
import io.github.distrifuser.tensor.DType;
import java.util.List;
import java.util.Locale;

/**
 * The original's profile_macs.py: multiply-accumulates of one call of the UNet, here also by kind
 * of layer and by rank. The call is a generation's first, which computes the prompt's keys and
 * values; later ones don't.
 */
public final class MacsCommand {
  private static final double GIGA = 1e9;

  private MacsCommand() {}

  /**
   * Runs profile_macs.
   *
   * @return the exit status
   */
  public static int run(String name, String[] args) {
    return CommandLineTool.run(name, new MacsOptions(), args, MacsCommand::run);
  }

  private static void run(MacsOptions options) {
    Targets.file("--report", options.report);
    OperatorTotals whole;
    List<OperatorTotals> perRank;
    Workload workload;
    try {
      workload = options.workload(options.source(), DType.F16, 0, 1);
      Planner planner = new Planner(workload);
      whole = OperatorTotals.of(planner.recordings(1).get(0));
      perRank = planner.recordings(options.ranks).stream().map(OperatorTotals::of).toList();
    } catch (IllegalArgumentException e) {
      throw new CommandLineTool.UsageException(e);
    }
    System.out.printf(Locale.ROOT, "MACs: %.3fG%n", whole.macs() / GIGA);
    for (OperatorKind k : whole.kinds()) {
      System.out.printf(
          Locale.ROOT,
          "  %-12s %5d calls %12.3fG%n",
          k.reportName(),
          whole.calls(k),
          whole.macs(k) / GIGA);
    }
    if (perRank.size() > 1) {
      for (int r = 0; r < perRank.size(); r++) {
        System.out.printf(Locale.ROOT, "  rank %-7d %24.3fG%n", r, perRank.get(r).macs() / GIGA);
      }
    }
    if (options.report != null) {
      JsonReports.write(options.report, report(options, workload, whole, perRank));
    }
  }

  private static ObjectNode report(
      MacsOptions options, Workload w, OperatorTotals whole, List<OperatorTotals> perRank) {
    ObjectNode r = JsonReports.object();
    r.put("model", options.model);
    r.put("height", w.config().height());
    r.put("width", w.config().width());
    r.put("batch", w.batch());
    r.put("macs", whole.macs());
    r.set("by_kind", kinds(whole));
    ArrayNode ranks = r.putArray("ranks");
    for (OperatorTotals t : perRank) {
      ObjectNode rank = ranks.addObject();
      rank.put("macs", t.macs());
      rank.set("by_kind", kinds(t));
    }
    return r;
  }

  private static ObjectNode kinds(OperatorTotals t) {
    ObjectNode all = JsonReports.object();
    for (OperatorKind k : t.kinds()) {
      all.put(k.reportName(), t.macs(k));
    }
    return all;
  }
}
