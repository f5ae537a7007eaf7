package io.github.distrifuser.cpu;

import io.github.distrifuser.metrics.MetricsCasesSuite;

/** PSNR, LPIPS and FID on oneDNN. */
class OneDnnMetricsTest extends MetricsCasesSuite {
  @Override
  protected String device() {
    return "onednn";
  }
}
