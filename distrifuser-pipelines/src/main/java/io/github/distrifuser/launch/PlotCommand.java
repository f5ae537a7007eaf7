package io.github.distrifuser.launch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.distrifuser.plots.Figure;
import io.github.distrifuser.plots.Panel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Draws latency, speed-up and quality against ranks, from what other mains report. */
public final class PlotCommand {

  /** What a report may tell. */
  private enum Measure {
    LATENCY("latency_s", "latency (s)", Panel.Axes.DOUBLING_X),
    SPEEDUP("speedup", "speed-up", Panel.Axes.DOUBLING),
    PSNR("psnr", "PSNR (dB)", Panel.Axes.DOUBLING_X),
    LPIPS("lpips", "LPIPS", Panel.Axes.DOUBLING_X),
    FID("fid", "FID", Panel.Axes.DOUBLING_X);

    final String key;
    final String title;
    final Panel.Axes axes;

    Measure(String key, String title, Panel.Axes axes) {
      this.key = key;
      this.title = title;
      this.axes = axes;
    }
  }

  /** For each measure each line's values by the number of ranks. */
  private final Map<Measure, Map<String, TreeMap<Integer, Double>>> values = new TreeMap<>();

  /** Lines in the order in which they were given, which is that of their colours. */
  private final List<String> names = new ArrayList<>();

  private PlotCommand() {}

  /**
   * Runs plot_reports.
   *
   * @return the exit status
   */
  public static int run(String name, String[] args) {
    return CommandLineTool.run(name, new PlotOptions(), args, o -> new PlotCommand().run(o));
  }

  private void run(PlotOptions options) {
    for (PlotOptions.Source s : options.sources()) {
      if (!names.contains(s.line())) {
        names.add(s.line());
      }
      read(s);
    }
    addSpeedups();
    List<Panel> panels = panels(options.title);
    Path output = options.output;
    if (output == null || panels.isEmpty()) {
      throw new IllegalArgumentException(
          "the reports have none of latency_s, rows, psnr, lpips and fid");
    }
    Figure.write(output, panels);
    System.out.println(output);
  }

  private void read(PlotOptions.Source s) {
    ObjectNode report = JsonReports.read(s.file());
    JsonNode rows = report.get("rows");
    if (rows == null) {
      add(s, report);
    } else {
      rows.forEach(row -> add(s, row));
    }
  }

  private void add(PlotOptions.Source s, JsonNode report) {
    JsonNode said = report.get("ranks");
    int ranks = s.ranks() != null ? s.ranks() : said != null && said.isInt() ? said.asInt() : 0;
    if (ranks < 1) {
      throw new IllegalArgumentException(
          s.file() + ": of how many ranks? give it as " + s.line() + "@N=" + s.file());
    }
    boolean any = false;
    for (Measure m : Measure.values()) {
      JsonNode v = report.get(m.key);
      if (v != null && v.isNumber()) {
        line(m, s.line()).put(ranks, v.asDouble());
        any = true;
      }
    }
    if (!any) {
      throw new IllegalArgumentException(
          s.file() + ": has none of latency_s, speedup, psnr, lpips and fid");
    }
  }

  private TreeMap<Integer, Double> line(Measure m, String name) {
    return values
        .computeIfAbsent(m, k -> new LinkedHashMap<>())
        .computeIfAbsent(name, k -> new TreeMap<>());
  }

  /** Of a line that was measured on one rank, too. */
  private void addSpeedups() {
    for (Map.Entry<String, TreeMap<Integer, Double>> l :
        values.getOrDefault(Measure.LATENCY, Map.of()).entrySet()) {
      Double one = l.getValue().get(1);
      if (one != null) {
        l.getValue().forEach((n, s) -> line(Measure.SPEEDUP, l.getKey()).put(n, one / s));
      }
    }
  }

  private List<Panel> panels(String title) {
    List<Panel> panels = new ArrayList<>();
    values.forEach(
        (measure, lines) -> {
          List<Panel.Line> drawn = new ArrayList<>();
          TreeMap<Integer, Double> ideal = new TreeMap<>();
          names.stream()
              .filter(lines::containsKey)
              .forEach(
                  name -> {
                    TreeMap<Integer, Double> points = lines.get(name);
                    drawn.add(line(name, names.indexOf(name), points));
                    points.keySet().forEach(n -> ideal.put(n, (double) n));
                  });
          if (measure == Measure.SPEEDUP) {
            drawn.add(line("ideal", Panel.Line.COMPARISON, ideal));
          }
          String above = panels.isEmpty() ? title : "";
          panels.add(new Panel(above, "ranks", measure.title, measure.axes, drawn));
        });
    return panels;
  }

  private static Panel.Line line(String name, int colour, TreeMap<Integer, Double> points) {
    return new Panel.Line(
        name,
        colour,
        points.keySet().stream().map(Integer::doubleValue).toList(),
        List.copyOf(points.values()));
  }
}
