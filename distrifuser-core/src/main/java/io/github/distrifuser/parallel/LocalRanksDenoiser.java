package io.github.distrifuser.parallel;

import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.tensor.NdArray;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Several ranks as threads of one JVM, seen as one denoiser. Each rank has a thread of its own, on
 * which all its calls run.
 */
public final class LocalRanksDenoiser implements Denoiser {
  private final List<Denoiser> ranks;
  private final List<ExecutorService> threads = new ArrayList<>();
  private final BiConsumer<Integer, Throwable> onFailure;
  private boolean closed;

  /** Makes a rank's denoiser, on the rank's own thread. */
  @FunctionalInterface
  public interface Maker {
    Denoiser make(int rank);
  }

  /**
   * Starts the threads and makes the denoisers.
   *
   * @param onFailure told the rank and the reason when a call fails, before the others are waited
   *     for: it must unblock them
   */
  public LocalRanksDenoiser(int count, Maker maker, BiConsumer<Integer, Throwable> onFailure) {
    this.onFailure = onFailure;
    for (int i = 0; i < count; i++) {
      int rank = i;
      threads.add(
          Executors.newSingleThreadExecutor(
              r -> {
                Thread t = new Thread(r, "distrifuser-rank-" + rank);
                t.setDaemon(true);
                return t;
              }));
    }
    List<Denoiser> made = List.of();
    try {
      made = onAll(maker::make);
    } finally {
      if (made.isEmpty()) {
        threads.forEach(ExecutorService::shutdownNow);
      }
    }
    this.ranks = made;
  }

  @FunctionalInterface
  private interface RankCall<T> {
    T call(int rank);
  }

  /** Runs something on every rank's thread and waits for all; the first failure is thrown. */
  private <T> List<T> onAll(RankCall<T> call) {
    List<Future<T>> futures = new ArrayList<>();
    for (int i = 0; i < threads.size(); i++) {
      int rank = i;
      Callable<T> task =
          () -> {
            try {
              return call.call(rank);
            } catch (Throwable t) {
              onFailure.accept(rank, t);
              throw t;
            }
          };
      futures.add(threads.get(i).submit(task));
    }
    List<T> results = new ArrayList<>();
    Throwable first = null;
    boolean interrupted = false;
    for (Future<T> f : futures) {
      while (true) {
        try {
          results.add(f.get());
          break;
        } catch (InterruptedException e) {
          interrupted = true; // a step is short: finish it, and let the caller see the flag
        } catch (ExecutionException e) {
          first = moreTelling(first, e.getCause());
          break;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    rethrow(first);
    return results;
  }

  /** The failure that began it says more than what the other ranks say of it. */
  private static @Nullable Throwable moreTelling(@Nullable Throwable a, @Nullable Throwable b) {
    if (a == null || b == null) {
      return a == null ? b : a;
    }
    boolean aEcho = a instanceof CommException;
    boolean bEcho = b instanceof CommException;
    return aEcho && !bEcho ? b : a;
  }

  private static void rethrow(@Nullable Throwable t) {
    if (t instanceof RuntimeException e) {
      throw e;
    }
    if (t instanceof Error e) {
      throw e;
    }
    if (t != null) {
      throw new IllegalStateException(t);
    }
  }

  @Override
  public void begin(DenoiserInputs inputs) {
    onAll(
        r -> {
          ranks.get(r).begin(inputs);
          return r;
        });
  }

  @Override
  public void replaceEmbeddings(DenoiserInputs inputs) {
    onAll(
        r -> {
          ranks.get(r).replaceEmbeddings(inputs);
          return r;
        });
  }

  @Override
  public NdArray predict(NdArray sample, float timestep) {
    return onAll(r -> ranks.get(r).predict(sample, timestep)).get(0);
  }

  @Override
  public void end() {
    onAll(
        r -> {
          ranks.get(r).end();
          return r;
        });
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      onAll(
          r -> {
            ranks.get(r).close();
            return r;
          });
    } finally {
      threads.forEach(ExecutorService::shutdown);
    }
  }
}
