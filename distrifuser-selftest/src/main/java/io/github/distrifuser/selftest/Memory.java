package io.github.distrifuser.selftest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.MemoryStats;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.api.extension.ExtendWith;

/** What a run takes of the device it gives back. */
@ExtendWith(Pending.class)
final class Memory {
  private static final int SIZE = 64; // pixels
  private static final int ROUNDS = 4;

  /** By so much the driver's own bookkeeping may grow. */
  private static final long SLACK = 4 << 20;

  @Test
  void tensorsAreClosedAndTheirMemoryIsKeptWithinItsPeak(TestReporter reporter) {
    try (UNetRun run = new UNetRun(BenchmarkModel.tiny.source(), SIZE, Child.dtype())) {
      run.step();
      run.step();
      MemoryStats before = run.memory();
      run.step();
      run.step();
      MemoryStats after = run.memory();
      assertEquals(before.liveBytes(), after.liveBytes(), "bytes of tensors grow step by step");
      assertEquals(before.peakBytes(), after.peakBytes(), "the peak grows step by step");
      reporter.publishEntry("peak_bytes_of_tensors", Long.toString(after.peakBytes()));
      reporter.publishEntry("bytes_of_weights", Long.toString(run.weightBytes()));
      run.end();
      assertEquals(0, run.memory().liveTensors(), "tensors left open");
      assertEquals(0, run.memory().liveBytes(), "bytes left open");
    }
  }

  @Test
  void theDeviceIsAsFreeAfterARunAsBefore(TestReporter reporter) {
    long baseline = 0;
    long last = 0;
    for (int round = 0; round < ROUNDS; round++) {
      try (UNetRun run = new UNetRun(BenchmarkModel.tiny.source(), SIZE, Child.dtype())) {
        run.step();
      }
      last = Gpu.free();
      baseline = round == 0 ? last : baseline; // the first loads what stays loaded
    }
    reporter.publishEntry("free_bytes_after_first_run", Long.toString(baseline));
    reporter.publishEntry("free_bytes_after_last_run", Long.toString(last));
    assertTrue(
        last >= baseline - SLACK,
        "bytes free after a run: expected at least " + (baseline - SLACK) + ", found " + last);
  }
}
