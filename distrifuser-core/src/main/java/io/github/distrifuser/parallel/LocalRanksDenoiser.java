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

/**
 * Several ranks as threads of one JVM, seen as one denoiser. Each rank has a thread of its own, on
 * which all its calls run.
 */
public final class LocalRanksDenoiser implements Denoiser {
  private final List<Denoiser> ranks;
  private final List<ExecutorService> threads = new ArrayList<>();
  private final Maker maker;
  private final BiConsumer<Integer, Throwable> onFailure;
  private String doing = "starting";
  private int step;
  private boolean failed;
  private boolean closed;

  /** Makes a rank's denoiser, on the rank's own thread. */
  @FunctionalInterface
  public interface Maker {
    Denoiser make(int rank);

    /** Called on the rank's own thread when its denoiser is closed. */
    default void release(int rank) {}
  }

  /**
   * Starts the threads and makes the denoisers.
   *
   * @param onFailure told the rank and the reason when a call fails, before the others are waited
   *     for: it must unblock them
   */
  public LocalRanksDenoiser(int count, Maker maker, BiConsumer<Integer, Throwable> onFailure) {
    this.maker = maker;
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
    RankFailures failures = new RankFailures(futures.size());
    boolean interrupted = false;
    for (int i = 0; i < futures.size(); i++) {
      boolean ended = false;
      while (!ended) {
        try {
          results.add(futures.get(i).get());
          ended = true;
        } catch (InterruptedException e) {
          interrupted = true; // a step is short: finish it, and let the caller see the flag
        } catch (ExecutionException e) {
          failures.add(i, e.getCause());
          ended = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    failed |= failures.any();
    failures.rethrow(doing);
    return results;
  }

  /** Whether a call has failed, so that this denoiser can only be closed. */
  public boolean isFailed() {
    return failed;
  }

  @Override
  public void prepare() {
    doing = "loading the model";
    onAll(
        r -> {
          ranks.get(r).prepare();
          return r;
        });
  }

  @Override
  public void begin(DenoiserInputs inputs) {
    doing = "preparing the first step";
    step = 0;
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
    doing = "step " + step++;
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
            try {
              closeRank(ranks.get(r));
            } finally {
              maker.release(r);
            }
            return r;
          });
    } finally {
      threads.forEach(ExecutorService::shutdown);
    }
  }

  /** After a failure the ranks' communicators are dead: that they say so again is no news. */
  private void closeRank(Denoiser rank) {
    try {
      rank.close();
    } catch (CommException e) {
      if (!failed) {
        throw e;
      }
    }
  }
}
