package io.github.distrifuser.selftest;

import io.github.distrifuser.models.ReferenceModels;
import java.util.List;

/** What the benchmark runs; constants are named as on the command line. */
enum BenchmarkModel {
  /** SDXL's UNet with random weights. */
  sdxl(List.of(1024, 2048, 3840)),

  /** The UNet of a reference case. */
  tiny(List.of(64, 128));

  private final List<Integer> sizes;

  BenchmarkModel(List<Integer> sizes) {
    this.sizes = sizes;
  }

  /** Sides of the square pictures, in pixels. */
  List<Integer> sizes(boolean quick) {
    return quick ? sizes.subList(0, 1) : sizes;
  }

  /** Its name as the library resolves it. */
  String source() {
    return this == sdxl
        ? "random:sdxl"
        : ReferenceModels.root().resolve("models").resolve("tiny-sdxl").toString();
  }

  /** What the report says of it. */
  String description() {
    return this == sdxl
        ? "SDXL's UNet, random weights, batch 2, float16"
        : "a tiny UNet of a reference case: shows that the benchmark runs, and measures nothing";
  }
}
