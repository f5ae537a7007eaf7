package io.github.distrifuser.hub;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Several requests at a time. */
final class Parallel {
  private static final int WORKERS = 4;

  private Parallel() {}

  /**
   * Does all tasks. The first failure, or an interrupt, stops the others and is thrown once they
   * have stopped.
   *
   * @param name of the threads
   * @param stop what wakes tasks that an interrupt doesn't
   * @return results in the order in which they come
   */
  static <T> List<T> all(String name, List<Callable<T>> tasks, Runnable stop)
      throws IOException, InterruptedException {
    AtomicInteger number = new AtomicInteger();
    ExecutorService pool =
        Executors.newFixedThreadPool(
            WORKERS,
            r -> {
              Thread t = new Thread(r, name + "-" + number.getAndIncrement());
              t.setDaemon(true);
              return t;
            });
    boolean done = false;
    try {
      CompletionService<T> service = new ExecutorCompletionService<>(pool);
      tasks.forEach(service::submit);
      List<T> results = new ArrayList<>();
      for (int i = 0; i < tasks.size(); i++) {
        results.add(service.take().get());
      }
      done = true;
      return results;
    } catch (ExecutionException e) {
      throw rethrown(e.getCause());
    } finally {
      pool.shutdownNow();
      if (!done) {
        stop.run();
      }
      awaitQuietly(pool);
    }
  }

  private static IOException rethrown(Throwable cause) {
    if (cause instanceof RuntimeException e) {
      throw e;
    }
    if (cause instanceof Error e) {
      throw e;
    }
    return cause instanceof IOException e ? e : new IOException(cause);
  }

  private static void awaitQuietly(ExecutorService pool) {
    boolean interrupted = Thread.interrupted();
    try {
      if (!pool.awaitTermination(30, TimeUnit.SECONDS)) {
        throw new IllegalStateException("the hub's downloads do not stop");
      }
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
