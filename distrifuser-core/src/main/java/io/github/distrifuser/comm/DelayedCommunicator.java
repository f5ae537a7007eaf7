package io.github.distrifuser.comm;

import io.github.distrifuser.tensor.Tensor;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/**
 * Another communicator with a slow network: shows on one machine what hides behind computation and
 * what does not. Every rank of the world is wrapped, with the same delay.
 *
 * <p>An operation is held back for the delay before it is posted to the other communicator, so that
 * it ends no earlier than the delay after the last rank concerned has posted it. Posting returns at
 * once, however many operations are under way: this is latency, not bandwidth. Blocking calls take
 * the delay, too. Aborting is not delayed.
 *
 * <p>What is wrong with an operation's arguments is said when it is waited for.
 */
public final class DelayedCommunicator implements Communicator {
  private final Communicator inner;
  private final Line line;
  private final boolean ownsLine;

  /**
   * Wraps a rank's communicator, and closes it when closed.
   *
   * @param delay not negative
   */
  public DelayedCommunicator(Communicator inner, Duration delay) {
    this(inner, new Line(inner.worldRank(), delay), true);
  }

  private DelayedCommunicator(Communicator inner, Line line, boolean ownsLine) {
    this.inner = inner;
    this.line = line;
    this.ownsLine = ownsLine;
  }

  /** One rank's operations on their way, in all its groups: first in, first out. */
  private static final class Line {
    private final int worldRank;
    private final long delayNanos;
    private final AtomicLong waitNanos = new AtomicLong();
    private final ScheduledThreadPoolExecutor executor;

    Line(int worldRank, Duration delay) {
      if (delay.isNegative()) {
        throw new IllegalArgumentException("a delay of " + delay);
      }
      this.worldRank = worldRank;
      this.delayNanos = delay.toNanos();
      this.executor =
          new ScheduledThreadPoolExecutor(
              1,
              r -> {
                Thread t = new Thread(r, "distrifuser-delay-" + worldRank);
                t.setDaemon(true);
                return t;
              });
    }

    /** What a task gives once it has run, after the delay. */
    <T> CompletableFuture<T> enter(Supplier<T> task) {
      CompletableFuture<T> result = new CompletableFuture<>();
      Runnable run =
          () -> {
            try {
              result.complete(task.get());
            } catch (RuntimeException | Error e) {
              result.completeExceptionally(e);
            }
          };
      try {
        executor.schedule(run, delayNanos, TimeUnit.NANOSECONDS);
      } catch (RejectedExecutionException e) {
        throw new CommException(worldRank, "rank " + worldRank + " has left", e);
      }
      return result;
    }

    /** Waits for a task. An interrupt is left for what is called next. */
    <T> T leave(CompletableFuture<T> task) {
      long start = System.nanoTime();
      try {
        return task.join();
      } catch (CompletionException e) {
        throw e.getCause() instanceof RuntimeException r
            ? r
            : new CommException(worldRank, "rank " + worldRank + " failed to post", e);
      } finally {
        waitNanos.addAndGet(System.nanoTime() - start);
      }
    }

    /** Returns after the delay, when all that was posted before is on its way. */
    void pass() {
      leave(enter(() -> true));
    }

    void close() {
      executor.shutdown();
    }
  }

  private Work later(Supplier<Work> post) {
    CompletableFuture<Work> posted = line.enter(post);
    return new Work() {
      @Override
      public boolean isDone() {
        return posted.isDone() && !posted.isCompletedExceptionally() && posted.join().isDone();
      }

      @Override
      public long doneNanos() {
        if (!isDone()) {
          throw new IllegalStateException("the operation is not done");
        }
        return posted.join().doneNanos();
      }

      @Override
      public void await() {
        line.leave(posted).await();
      }
    };
  }

  @Override
  public int rank() {
    return inner.rank();
  }

  @Override
  public int size() {
    return inner.size();
  }

  @Override
  public int worldRank() {
    return inner.worldRank();
  }

  @Override
  public Communicator group(List<Integer> ranks) {
    line.pass();
    return new DelayedCommunicator(inner.group(ranks), line, false);
  }

  @Override
  public Work exchange(List<Transfer> transfers) {
    List<Transfer> all = List.copyOf(transfers);
    return later(() -> inner.exchange(all));
  }

  @Override
  public Work allGather(List<Tensor> slots) {
    List<Tensor> all = List.copyOf(slots);
    return later(() -> inner.allGather(all));
  }

  @Override
  public Work allReduceSum(Tensor tensor) {
    return later(() -> inner.allReduceSum(tensor));
  }

  @Override
  public void broadcast(byte[] bytes, int root) {
    line.pass();
    inner.broadcast(bytes, root);
  }

  @Override
  public List<byte[]> allGatherBytes(byte[] mine) {
    line.pass();
    return inner.allGatherBytes(mine);
  }

  @Override
  public void barrier() {
    line.pass();
    inner.barrier();
  }

  @Override
  public void setTimeout(Duration timeout) {
    inner.setTimeout(timeout);
  }

  @Override
  public void abort(String reason) {
    inner.abort(reason);
  }

  @Override
  public void accuse(int ofWorldRank, String message) {
    inner.accuse(ofWorldRank, message);
  }

  @Override
  public void check() {
    inner.check();
  }

  @Override
  public void progress(String what) {
    inner.progress(what);
  }

  @Override
  public String heard(int ofWorldRank) {
    return inner.heard(ofWorldRank);
  }

  @Override
  public CommStats stats() {
    CommStats s = inner.stats();
    return new CommStats(s.bytesSent(), s.messagesSent(), s.waitNanos() + line.waitNanos.get());
  }

  @Override
  public void close() {
    if (!line.executor.isShutdown()) {
      line.pass();
    }
    inner.close();
    if (ownsLine) {
      line.close();
    }
  }
}
