package io.github.distrifuser.selftest;

import io.github.distrifuser.cuda.CudaEnvironment;
import io.github.distrifuser.cuda.CudaOutOfMemoryException;
import io.github.distrifuser.plan.KnownDevice;
import io.github.distrifuser.tensor.DType;
import java.util.Arrays;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Times steps of a UNet. */
final class Benchmark {
  /** The first plans and compiles, the second fills caches. */
  private static final int NOT_MEASURED = 2;

  private static final int MEASURED = 5;

  /** Steps of the paper's table. */
  static final int PAPER_STEPS = 50;

  /** The paper's seconds for as many steps of SDXL on one A100, by pixels of the side. */
  private static final Map<Integer, Double> PAPER_A100 =
      Map.of(1024, 5.02, 2048, 23.7, 3840, 140.0);

  private Benchmark() {}

  /**
   * A line of the table.
   *
   * @param size side of the picture in pixels
   * @param stepSeconds median of the steps after warm-up; null where the model does not fit
   * @param leastStepSeconds the fastest of them
   * @param macs multiply-accumulates of a step, as profile_macs counts them
   * @param teraflops twice those by the median
   * @param peakTeraflops what the device's maker says of dense float16; null for unknown devices
   * @param weightBytes of the model on the device
   * @param peakBytes weights and the most that tensors held
   * @param deviceBytes what the device had less of free memory after the steps than before
   * @param fiftyStepsSeconds fifty times the median
   * @param paperSeconds the paper's for fifty steps on one A100; null where it has none
   * @param note why there are no numbers, or null
   */
  record Row(
      int size,
      @Nullable Double stepSeconds,
      @Nullable Double leastStepSeconds,
      long macs,
      @Nullable Double teraflops,
      @Nullable Double peakTeraflops,
      long weightBytes,
      long peakBytes,
      long deviceBytes,
      @Nullable Double fiftyStepsSeconds,
      @Nullable Double paperSeconds,
      @Nullable String note) {}

  static Row run(BenchmarkModel model, int size) {
    Double paper = model == BenchmarkModel.sdxl ? PAPER_A100.get(size) : null;
    KnownDevice known = KnownDevice.ofDriverName(CudaEnvironment.of(Gpu.DEVICE).device());
    Double peak = known == null ? null : known.tensorFlops() / 1e12;
    long before = Gpu.free();
    try (UNetRun run = new UNetRun(model.source(), size, DType.F16)) {
      double[] seconds = new double[MEASURED];
      for (int i = -NOT_MEASURED; i < MEASURED; i++) {
        double s = run.step();
        if (i >= 0) {
          seconds[i] = s;
        }
      }
      Arrays.sort(seconds);
      double median = seconds[MEASURED / 2];
      return new Row(
          size,
          median,
          seconds[0],
          run.macs(),
          2 * run.macs() / median / 1e12,
          peak,
          run.weightBytes(),
          run.weightBytes() + run.memory().peakBytes(),
          before - Gpu.free(),
          PAPER_STEPS * median,
          paper,
          null);
    } catch (CudaOutOfMemoryException e) {
      return new Row(
          size, null, null, 0, null, peak, 0, 0, before - Gpu.free(), null, paper, e.getMessage());
    }
  }
}
