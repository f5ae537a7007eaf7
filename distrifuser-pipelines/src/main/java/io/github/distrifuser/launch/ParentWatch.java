package io.github.distrifuser.launch;

import java.time.Duration;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/**
 * Notices that the process which started this one is gone, so that no rank outlives its launcher
 * even when that was killed without a chance to pass the signal on.
 *
 * <p>A launcher puts its process id into the environment variable {@value #PARENT_PID}. Where that
 * is this process's parent, the watch looks for a change of parent, which comes at once when the
 * launcher dies; where another process stands between, it looks whether the launcher still lives.
 */
public final class ParentWatch {

  /** Environment variable with the launcher's process id. */
  public static final String PARENT_PID = "DISTRIFUSER_PARENT_PID";

  private static final Duration INTERVAL = Duration.ofMillis(500);
  private static final Duration TIME_TO_EXIT = Duration.ofSeconds(3);

  private ParentWatch() {}

  /**
   * Watches the process that {@value #PARENT_PID} names, and ends this JVM with status 1 once it is
   * gone: in order, with shutdown hooks, or by force when these take over 3 seconds. Does nothing
   * where the variable is not set.
   *
   * @throws IllegalArgumentException when the variable is not a process id
   */
  public static void startFromEnvironment() {
    String value = System.getenv(PARENT_PID);
    if (value == null || value.isEmpty()) {
      return;
    }
    long pid;
    try {
      pid = Long.parseLong(value);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          PARENT_PID + ": expected a process id, found '" + value + "'", e);
    }
    start(pid, ParentWatch::endThisProcess);
  }

  /**
   * Watches a process on a daemon thread.
   *
   * @param pid the process: this one's parent, or any other that this user may see
   * @param whenGone called once, on the watching thread, within a second of the process's end
   * @return the watching thread; interrupting it ends the watch
   */
  public static Thread start(long pid, Runnable whenGone) {
    BooleanSupplier alive = aliveTest(pid);
    Thread thread =
        new Thread(
            () -> {
              try {
                while (alive.getAsBoolean()) {
                  Thread.sleep(INTERVAL.toMillis());
                }
              } catch (InterruptedException e) {
                return; // asked to stop watching
              }
              whenGone.run();
            },
            "distrifuser-parent-watch");
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  private static BooleanSupplier aliveTest(long pid) {
    ProcessHandle self = ProcessHandle.current();
    if (isParent(self, pid)) {
      // Not isAlive(): that stays true of a dead parent until its own parent collects its status.
      return () -> isParent(self, pid);
    }
    Optional<ProcessHandle> watched = ProcessHandle.of(pid);
    return () -> watched.isPresent() && watched.get().isAlive();
  }

  private static boolean isParent(ProcessHandle self, long pid) {
    return self.parent().map(ProcessHandle::pid).orElse(-1L) == pid;
  }

  private static void endThisProcess() {
    Thread forced =
        new Thread(
            () -> {
              try {
                Thread.sleep(TIME_TO_EXIT.toMillis());
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
              Runtime.getRuntime().halt(1);
            },
            "distrifuser-forced-end");
    forced.setDaemon(true);
    forced.start();
    System.err.println("error: the launcher of this rank is gone");
    System.exit(1);
  }
}
