package io.github.distrifuser.metrics;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.function.Function;

/** Prepares items on other threads, a few ahead of the one that uses them in order. */
final class Ahead {
  private Ahead() {}

  /**
   * Runs a job for each item, and hands the results to the caller's thread in the items' order.
   *
   * @param workers threads; results waiting to be used are at most twice as many
   */
  static <A, B> void forEach(List<A> items, int workers, Function<A, B> job, Consumer<B> use) {
    ExecutorService pool =
        Executors.newFixedThreadPool(
            workers,
            r -> {
              Thread t = new Thread(r, "distrifuser-reading");
              t.setDaemon(true);
              return t;
            });
    try {
      Iterator<A> next = items.iterator();
      Deque<Future<B>> waiting = new ArrayDeque<>();
      while (next.hasNext() || !waiting.isEmpty()) {
        while (next.hasNext() && waiting.size() < 2 * workers) {
          A item = next.next();
          waiting.add(pool.submit(() -> job.apply(item)));
        }
        use.accept(result(waiting.remove()));
      }
    } finally {
      pool.shutdownNow();
    }
  }

  private static <B> B result(Future<B> future) {
    try {
      return future.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CancellationException("interrupted");
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException r) {
        throw r;
      }
      if (e.getCause() instanceof Error r) {
        throw r;
      }
      throw new IllegalStateException(e.getCause());
    }
  }
}
