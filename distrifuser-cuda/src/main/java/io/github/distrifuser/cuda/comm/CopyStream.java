package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.cuda.CudaContext;
import io.github.distrifuser.cuda.CudaEvent;
import io.github.distrifuser.cuda.CudaStream;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * A rank's stream of copies from other ranks of this JVM, and its events. Other ranks' threads give
 * it work, too.
 */
final class CopyStream implements AutoCloseable {
  private final CudaContext context;
  private final CudaStream stream;
  private final ArrayDeque<CudaEvent> free = new ArrayDeque<>();
  private final Set<CopyWork> works = new HashSet<>(); // that nobody has awaited
  private int copies; // that are being given to streams, from this rank or to it
  private boolean closed;

  CopyStream(CudaContext context) {
    this.context = context;
    context.activate();
    this.stream = new CudaStream();
  }

  CudaContext context() {
    return context;
  }

  synchronized void begun(CopyWork work) {
    works.add(work);
  }

  synchronized void ended(CopyWork work) {
    works.remove(work);
  }

  /**
   * Keeps this stream and its works from closing until {@link #leave}.
   *
   * @throws IllegalStateException where it has closed
   */
  synchronized void enter() {
    if (closed) {
      throw new IllegalStateException("the rank has left");
    }
    copies++;
  }

  synchronized void leave() {
    copies--;
    notifyAll();
  }

  /** An event of this rank's device, which must be the thread's. */
  synchronized CudaEvent event() {
    CudaEvent e = free.poll();
    return e == null ? new CudaEvent() : e;
  }

  /** Takes an event back that nobody will wait for any more. */
  synchronized void giveBack(CudaEvent e) {
    if (closed) {
      e.close();
    } else {
      free.push(e);
    }
  }

  /**
   * Copies another rank's memory to this rank's once both are ready; the event is reached when it
   * is there.
   */
  synchronized CudaEvent copy(CudaEvent sent, Runs from, CudaEvent ready, Runs into) {
    context.activate();
    stream.await(sent);
    stream.await(ready);
    for (int i = 0; i < from.count(); i++) {
      if (from.bytes() > 0) {
        stream.copy(from.at(i), into.at(i), from.bytes());
      }
    }
    CudaEvent done = event();
    done.record(stream);
    return done;
  }

  @Override
  public void close() {
    List<CopyWork> left;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      awaitCopies();
      left = List.copyOf(works);
    }
    context.activate();
    left.forEach(CopyWork::abandon); // without this lock, for it takes those of other ranks
    synchronized (this) {
      stream.close();
      free.forEach(CudaEvent::close);
      free.clear();
    }
  }

  private synchronized void awaitCopies() {
    boolean interrupted = false;
    while (copies > 0) {
      try {
        wait();
      } catch (InterruptedException e) {
        interrupted = true; // another thread is about to end a few calls
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
