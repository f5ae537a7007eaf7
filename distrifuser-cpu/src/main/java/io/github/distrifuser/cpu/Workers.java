package io.github.distrifuser.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A backend's Java threads, for kernels that oneDNN lacks. They start with the first job that is
 * worth sharing; the calling thread takes part.
 */
final class Workers implements AutoCloseable {

  /** One piece of a job, with the scratch arrays of the thread that runs it. */
  interface Task {
    void run(int index, HostScratch scratch);
  }

  private final int threads;
  private final HostScratch ownScratch = new HostScratch();
  private @Nullable Thread @Nullable [] helpers;
  private @Nullable Job job;
  private boolean closed;

  Workers(int threads) {
    this.threads = threads;
  }

  private static final class Job {
    final Task task;
    final int count;
    final AtomicInteger next = new AtomicInteger();
    int helpersInside; // guarded by the Workers
    @Nullable Throwable failure;

    Job(Task task, int count) {
      this.task = task;
      this.count = count;
    }

    void work(HostScratch scratch) {
      for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) {
        task.run(i, scratch);
      }
    }
  }

  /** Runs tasks 0 to count - 1, in any order, and returns when all are done. */
  void run(int count, Task task) {
    if (threads == 1 || count <= 1) {
      for (int i = 0; i < count; i++) {
        task.run(i, ownScratch);
      }
      return;
    }
    Job mine = new Job(task, count);
    synchronized (this) {
      startHelpers();
      job = mine;
      notifyAll();
    }
    try {
      mine.work(ownScratch);
    } finally {
      finish(mine);
    }
    rethrow(mine.failure);
  }

  private void finish(Job mine) {
    mine.next.set(mine.count); // stops the helpers where this thread failed
    boolean interrupted = false;
    synchronized (this) {
      job = null;
      while (mine.helpersInside > 0) {
        try {
          wait();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static void rethrow(@Nullable Throwable t) {
    if (t instanceof RuntimeException e) {
      throw e;
    }
    if (t instanceof Error e) {
      throw e;
    }
  }

  private void startHelpers() {
    if (helpers != null) {
      return;
    }
    Thread[] started = new Thread[threads - 1];
    for (int i = 0; i < started.length; i++) {
      int worker = i + 1;
      started[i] = new Thread(() -> serve(worker), "distrifuser-cpu-" + worker);
      started[i].setDaemon(true);
      started[i].start();
    }
    helpers = started;
  }

  private void serve(int worker) {
    HostScratch scratch = new HostScratch(HostScratch.BLOCK, worker);
    Job last = null;
    while (true) {
      Job current;
      synchronized (this) {
        while (!closed && (job == null || job == last)) {
          try {
            wait();
          } catch (InterruptedException e) {
            return;
          }
        }
        if (closed) {
          return;
        }
        current = job;
        current.helpersInside++;
      }
      last = current;
      Throwable failure = null;
      try {
        current.work(scratch);
      } catch (RuntimeException | Error e) {
        failure = e;
      }
      synchronized (this) {
        if (failure != null) {
          current.failure = failure;
          current.next.set(current.count);
        }
        current.helpersInside--;
        notifyAll();
      }
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    notifyAll();
  }
}
