package io.github.distrifuser.progress;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Lines where nobody watches. */
class ProgressLogTest {
  @Test
  void aLineNowAndThenWithTheTimeLeft() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    AtomicLong clock = new AtomicLong();
    try (PrintStream out = new PrintStream(bytes, false, StandardCharsets.UTF_8);
        ProgressLog log = ProgressLog.lines("images", 1000, out, clock::get)) {
      for (int i = 0; i < 4; i++) {
        clock.addAndGet(20_000_000_000L);
        log.step();
      }
    }
    assertEquals(
        "2 of 1000 images, 5 h 32 min left\n4 of 1000 images, 5 h 32 min left\n",
        bytes.toString(StandardCharsets.UTF_8).replace(System.lineSeparator(), "\n"));
  }

  @Test
  void durations() {
    assertEquals("7 s", ProgressLog.duration(7.2));
    assertEquals("5 min 09 s", ProgressLog.duration(309));
    assertEquals("2 h 05 min", ProgressLog.duration(7505));
  }
}
