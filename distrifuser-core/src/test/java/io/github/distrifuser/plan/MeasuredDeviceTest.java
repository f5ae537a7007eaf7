package io.github.distrifuser.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.tensor.DType;
import java.util.List;
import org.junit.jupiter.api.Test;

class MeasuredDeviceTest {
  private static final LoopbackProbe.Costs FREE = new LoopbackProbe.Costs(0, 0);

  private static OperatorTimer.Sample sample(String name, long macs, long bytes, double seconds) {
    return new OperatorTimer.Sample(
        new Operator(OperatorKind.CONVOLUTION, name, macs, bytes), seconds);
  }

  private static double seconds(MeasuredDevice device, String name, long macs, long bytes) {
    return device.seconds(new Operator(OperatorKind.CONVOLUTION, name, macs, bytes), DType.F32);
  }

  /** Weights that were prepared in the meantime have other bytes and are the same operator's. */
  @Test
  void aSynchronousStepsSampleDoesNotReplaceASteadyOne() {
    MeasuredDevice device =
        new MeasuredDevice(
            List.of(sample("a", 1000, 4000, 2), sample("b", 10, 40, 0)),
            List.of(sample("a", 1000, 1000, 9), sample("c", 500, 500, 3)),
            2,
            1,
            FREE);
    assertEquals(2, seconds(device, "a", 1000, 1000), 1e-9);
    assertEquals(3, seconds(device, "c", 500, 500), 1e-9);
  }

  @Test
  void ranksThatDoTheSameCountByTheirMeanAndTheRestOfAStepGoesToAllOperators() {
    MeasuredDevice device =
        new MeasuredDevice(
            List.of(sample("a", 1000, 4000, 2), sample("a", 1000, 4000, 4), sample("b", 1, 1, 0)),
            List.of(),
            6 + 3 * 0.5,
            2,
            FREE);
    assertEquals(3 + 0.5, seconds(device, "a", 1000, 4000), 1e-9);
    assertEquals(6 + 0.5, seconds(device, "a", 2000, 8000), 1e-9);
    assertEquals(2, device.concurrentRanks());
  }
}
