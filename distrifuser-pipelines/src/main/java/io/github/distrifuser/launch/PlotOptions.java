package io.github.distrifuser.launch;

import io.github.distrifuser.plots.Figure;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The options of plot_reports. */
@Command(sortOptions = false, mixinStandardHelpOptions = false)
final class PlotOptions extends BaseOptions {

  @Option(names = "--output", description = "the plot, .png or .svg")
  @Nullable Path output;

  @Option(names = "--title", description = "what is shown")
  String title = "";

  @Parameters(
      paramLabel = "NAME=FILE[,FILE...]",
      description =
          "a line of the plot and its reports: those of run_sdxl and run_sd, one for each number of"
              + " ranks, that of plan, or those of compute_metrics; NAME@N=FILE says that a report"
              + " is of N ranks where it does not say so itself")
  List<String> lines = new ArrayList<>();

  /**
   * A report of a line.
   *
   * @param line the line's name
   * @param ranks number of ranks, or null where the report says so
   * @param file the report
   */
  record Source(String line, @Nullable Integer ranks, Path file) {}

  @Override
  public void check() {
    require(output != null, "--output is missing: where to draw");
    if (output != null) {
      Figure.check(output);
    }
    require(!lines.isEmpty(), "nothing to draw: give NAME=FILE");
    sources();
  }

  List<Source> sources() {
    List<Source> all = new ArrayList<>();
    for (String l : lines) {
      int equals = l.indexOf('=');
      require(equals > 0, "expected NAME=FILE, found '" + l + "'");
      String name = l.substring(0, equals);
      Integer ranks = null;
      int at = name.lastIndexOf('@');
      if (at > 0 && name.substring(at + 1).matches("[1-9][0-9]{0,5}")) {
        ranks = Integer.valueOf(name.substring(at + 1));
        name = name.substring(0, at);
      }
      for (String file : l.substring(equals + 1).split(",", -1)) {
        require(!file.isEmpty(), "expected NAME=FILE, found '" + l + "'");
        all.add(new Source(name, ranks, Path.of(file)));
      }
    }
    return all;
  }
}
