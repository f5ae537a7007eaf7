package io.github.distrifuser.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.parallel.DistriConfig;
import org.junit.jupiter.api.Test;

class ResumingDeviceTest {
  private static final double LONG = 0.01; // seconds
  private static final LinkModel LINK = new LinkModel("test", 1e9, 1e-4, 0, false);
  private static final DeviceModel DEVICE = KnownDevice.A100.model();

  private final Planner planner =
      new Planner(RecorderTest.workload(DistriConfig.builder().splitBatch(false), 64));

  private double step(int ranks, double resumeSeconds) {
    return planner.synchronousStep(ranks, new ResumingDevice(DEVICE, resumeSeconds), LINK);
  }

  @Test
  void theStepThatWasMeasuredIsPlanned() {
    double seconds = step(2, LONG);
    assertTrue(seconds > 10 * LONG, "it waits for more than ten exchanges: " + seconds);
    ResumingDevice d = ResumingDevice.fit(planner, 2, DEVICE, LINK, seconds);
    assertEquals(LONG, d.resumeSeconds(), 1e-6);
  }

  @Test
  void aStepThatTookNoLongerThanItsPartsLeavesNothing() {
    assertEquals(
        0, ResumingDevice.fit(planner, 2, DEVICE, LINK, step(2, 0) / 2).resumeSeconds(), 1e-9);
  }

  @Test
  void whoNeverWaitsTellsNothing() {
    assertEquals(0, ResumingDevice.fit(planner, 1, DEVICE, LINK, 1).resumeSeconds());
  }
}
