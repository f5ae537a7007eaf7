package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.comm.Work;
import io.github.distrifuser.cuda.CudaEvent;
import org.jspecify.annotations.Nullable;

/**
 * What a rank has given to its stream of communication. Awaited means that the operators' stream
 * waits for it: operators that are called then find it done, and the host waits for nothing.
 */
final class StreamWork implements Work {
  private final RankStream stream;
  private final long number;
  private @Nullable CudaEvent end; // until it is awaited
  private volatile long doneAt;
  private volatile boolean done;

  StreamWork(RankStream stream, CudaEvent end, long number) {
    this.stream = stream;
    this.end = end;
    this.number = number;
  }

  /** True once it was awaited: nobody asks the device, which may be capturing. */
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
    CudaEvent e = end;
    if (e != null) {
      stream.follow(e, number);
      end = null;
      doneAt = System.nanoTime();
      done = true;
    }
  }
}
