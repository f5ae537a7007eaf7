package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.comm.Work;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * An operation under way: a number of sends and receives. The parts are counted on the event loop.
 */
final class TcpWork implements Work {
  private final World world;
  private final Duration timeout;
  private final CountDownLatch ended = new CountDownLatch(1);
  private final List<Runnable> atEnd = new ArrayList<>();
  private int parts = 1; // one for the posting itself
  private long doneAt; // published by done
  private volatile boolean done;
  private volatile @Nullable Failure failure;

  TcpWork(World world, Duration timeout) {
    this.world = world;
    this.timeout = timeout;
  }

  /** On the event loop: there is more to wait for. */
  void addParts(int n) {
    parts += n;
  }

  /** On the event loop: run when it has ended, well or not. */
  void atEnd(Runnable task) {
    atEnd.add(task);
  }

  /** On the event loop: a part is done; with the last one, so is the operation. */
  void partDone() {
    parts--;
    if (parts == 0 && ended.getCount() > 0) {
      world.forget(this);
      doneAt = System.nanoTime();
      done = true;
      end();
    }
  }

  /** On the event loop, or anywhere for a work that was never posted: it will not be done. */
  void fail(Failure why) {
    if (ended.getCount() > 0) {
      failure = why;
      end();
    }
  }

  private void end() {
    atEnd.forEach(Runnable::run);
    ended.countDown();
  }

  @Override
  public boolean isDone() {
    return done;
  }

  @Override
  public long doneNanos() {
    if (!done) {
      throw new IllegalStateException("the operation is not done");
    }
    return doneAt;
  }

  @Override
  public void await() {
    if (!done) {
      long start = System.nanoTime();
      try {
        waitForEnd();
      } finally {
        world.counters().waited(System.nanoTime() - start);
      }
    }
    Failure f = failure;
    if (f != null) {
      throw f.exception();
    }
  }

  private void waitForEnd() {
    try {
      if (!ended.await(timeout.toNanos(), TimeUnit.NANOSECONDS)) {
        world.late(this, timeout);
        waitForRelease();
      }
    } catch (InterruptedException e) {
      world.abort("it was interrupted while it waited");
      waitForRelease();
      Thread.currentThread().interrupt();
      throw new CommException(-1, "interrupted while waiting", e);
    }
  }

  /** A world that fails ends its works, and only then does nobody touch their memory. */
  private void waitForRelease() {
    boolean interrupted = false;
    while (true) {
      try {
        ended.await();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
