package io.github.distrifuser.examples;

import io.github.distrifuser.launch.PlotCommand;

/**
 * {@code plot_reports}: latency, speed-up and quality against ranks, from reports. {@code --help}
 * lists the options.
 */
public final class PlotReports {
  private PlotReports() {}

  public static void main(String[] args) {
    System.exit(PlotCommand.run("plot_reports", args));
  }
}
