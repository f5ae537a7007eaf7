package io.github.distrifuser.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ParentWatchTest {

  private static Process idleJvm() throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-cp",
            System.getProperty("java.class.path"),
            Idle.class.getName())
        .redirectErrorStream(true)
        .start();
  }

  @Test
  void tellsOnceThatTheProcessIsGone() throws Exception {
    Process process = idleJvm();
    assertEquals('r', process.getInputStream().read());
    CountDownLatch gone = new CountDownLatch(1);
    Thread watch = ParentWatch.start(process.pid(), gone::countDown);
    assertTrue(watch.isDaemon());
    assertFalse(gone.await(800, TimeUnit.MILLISECONDS), "the process is alive");
    process.destroyForcibly().waitFor();
    assertTrue(gone.await(30, TimeUnit.SECONDS), "the process is gone");
    watch.join(30_000);
    assertFalse(watch.isAlive());
  }

  @Test
  void theParentOfThisProcessCountsAsAlive() throws Exception {
    long parent = ProcessHandle.current().parent().orElseThrow().pid();
    CountDownLatch gone = new CountDownLatch(1);
    Thread watch = ParentWatch.start(parent, gone::countDown);
    assertFalse(gone.await(800, TimeUnit.MILLISECONDS), "the parent is alive");
    watch.interrupt();
    watch.join(30_000);
    assertFalse(watch.isAlive());
    assertEquals(1, gone.getCount(), "an interrupted watch does not report");
  }

  @Test
  void aProcessThatWasNeverThereIsGone() throws Exception {
    CountDownLatch gone = new CountDownLatch(1);
    ParentWatch.start(Long.MAX_VALUE, gone::countDown);
    assertTrue(gone.await(30, TimeUnit.SECONDS));
  }

  /** Says that it runs, then waits to be ended. */
  static final class Idle {
    private Idle() {}

    public static void main(String[] args) throws InterruptedException {
      System.out.print('r');
      System.out.flush();
      Thread.sleep(600_000);
    }
  }
}
