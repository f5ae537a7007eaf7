package io.github.distrifuser.comm;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Runs a program on every rank's own thread. */
public final class RankThreads {
  private static final long LIMIT_S = 60;

  private RankThreads() {}

  /**
   * Returns when all ranks have ended, and closes their communicators. A rank that fails aborts the
   * others; the failure that began it is thrown.
   */
  public static void run(List<? extends Communicator> ranks, RankProgram program) {
    ExecutorService threads = Executors.newCachedThreadPool();
    List<Throwable> failures = new ArrayList<>();
    try {
      List<Future<?>> ends = new ArrayList<>();
      for (Communicator c : ranks) {
        ends.add(
            threads.submit(
                () -> {
                  try {
                    program.run(c);
                  } catch (Throwable t) {
                    c.abort("the test failed: " + t);
                    throw t;
                  }
                  return null;
                }));
      }
      for (Future<?> end : ends) {
        try {
          end.get(LIMIT_S, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
          failures.add(e.getCause());
        } catch (InterruptedException | TimeoutException e) {
          failures.add(new AssertionError("a rank did not end", e));
        }
      }
    } finally {
      threads.shutdownNow();
      ranks.forEach(Communicator::close);
    }
    failures.sort((a, b) -> Boolean.compare(isEcho(a), isEcho(b)));
    if (!failures.isEmpty()) {
      throw new AssertionError("a rank failed: " + failures.get(0), failures.get(0));
    }
  }

  /** The others' failures say less. */
  private static boolean isEcho(Throwable t) {
    return t instanceof CommException;
  }
}
