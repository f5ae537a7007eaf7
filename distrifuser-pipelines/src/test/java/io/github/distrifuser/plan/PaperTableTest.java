package io.github.distrifuser.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.parallel.Parallelism;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.ModelSource;
import io.github.distrifuser.tensor.DType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The paper's table (DistriFusion, CVPR 2024): SDXL, 50 DDIM steps, guidance without batch split,
 * on A100s of 80 GB with NVLink. One set of constants predicts it from the one-GPU column.
 */
class PaperTableTest {
  private static final double NEAR = 0.15;
  private static final ModelSource SDXL =
      ModelSource.resolve("random:sdxl", LoadOptions.defaults());

  private static double predict(
      int size, double one, int ranks, Parallelism parallelism, SyncMode mode) {
    DistriConfig config =
        DistriConfig.builder()
            .height(size)
            .width(size)
            .splitBatch(false)
            .parallelism(parallelism)
            .mode(mode)
            .build();
    Planner planner =
        new Planner(new Workload(SDXL.unetConfig(), config, SDXL.latentFactor(), 1, DType.F16, 50));
    AcceleratorModel device = planner.fit(KnownDevice.A100.model(), one);
    LinkModel link = KnownLink.NVLINK.between(KnownDevice.A100);
    return planner.predict(ranks, device, link).latency();
  }

  @ParameterizedTest
  @CsvSource({
    "1024, 5.02, 2, 3.35",
    "1024, 5.02, 4, 2.26",
    "1024, 5.02, 8, 1.77",
    "2048, 23.7, 2, 13.3",
    "2048, 23.7, 4, 7.60",
    "2048, 23.7, 8, 4.81",
    "3840, 140, 2, 76.6",
    "3840, 140, 4, 41.3",
    "3840, 140, 8, 22.9",
  })
  void latencies(int size, double one, int ranks, double paper) {
    assertEquals(
        paper,
        predict(size, one, ranks, Parallelism.PATCH, SyncMode.CORRECTED_ASYNC_GN),
        NEAR * paper);
  }

  @ParameterizedTest
  @CsvSource({"PATCH, FULL_SYNC, 2.21", "PATCH, NO_SYNC, 1.48", "TENSOR, FULL_SYNC, 3.61"})
  void otherSchemesAt1024OnEight(Parallelism parallelism, SyncMode mode, double paper) {
    assertEquals(paper, predict(1024, 5.02, 8, parallelism, mode), NEAR * paper);
  }

  /** Nothing but the device's sheet and what large pictures reach: no fitting at all. */
  @ParameterizedTest
  @CsvSource({"1024, 5.02", "2048, 23.7", "3840, 140"})
  void oneGpuWithoutFitting(int size, double paper) {
    DistriConfig config = DistriConfig.builder().height(size).width(size).build();
    Planner planner =
        new Planner(new Workload(SDXL.unetConfig(), config, SDXL.latentFactor(), 1, DType.F16, 50));
    double latency =
        planner
            .predict(1, KnownDevice.A100.model(), KnownLink.NVLINK.between(KnownDevice.A100))
            .latency();
    assertEquals(paper, latency, NEAR * paper);
  }
}
