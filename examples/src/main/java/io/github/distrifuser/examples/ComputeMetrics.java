package io.github.distrifuser.examples;

import io.github.distrifuser.launch.ComputeMetricsCommand;

/**
 * {@code compute_metrics}: the original's {@code scripts/compute_metrics.py}. {@code --help} lists
 * the options.
 */
public final class ComputeMetrics {
  private ComputeMetrics() {}

  public static void main(String[] args) {
    System.exit(ComputeMetricsCommand.run(args));
  }
}
