package io.github.distrifuser.trace;

import io.github.distrifuser.comm.CommStats;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.comm.Work;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.trace.Timeline.Track;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;

/**
 * Notes when each operation of a communicator was posted and done, and when this rank stood still
 * for it.
 */
public final class TracedCommunicator implements Communicator {
  private final Communicator delegate;
  private final Timeline timeline;

  /** Notes the operations of a communicator, which it closes with itself. */
  public TracedCommunicator(Communicator delegate, Timeline timeline) {
    this.delegate = delegate;
    this.timeline = timeline;
  }

  private final class TracedWork implements Work {
    private final Work work;
    private final String name;
    private final long posted;
    private boolean noted;

    TracedWork(Work work, String name, long posted) {
      this.work = work;
      this.name = name;
      this.posted = posted;
    }

    @Override
    public boolean isDone() {
      return work.isDone();
    }

    @Override
    public long doneNanos() {
      return work.doneNanos();
    }

    @Override
    public void await() {
      long begin = System.nanoTime();
      boolean waits = !work.isDone();
      work.await();
      long end = System.nanoTime();
      if (noted) {
        return;
      }
      noted = true;
      timeline.add(worldRank(), Track.COMMUNICATION, name, posted, work.doneNanos());
      if (waits) {
        timeline.add(worldRank(), Track.WAIT, name, begin, end);
      }
    }
  }

  private <T> T blocking(String name, Supplier<T> call) {
    long begin = System.nanoTime();
    T result = call.get();
    long end = System.nanoTime();
    timeline.add(worldRank(), Track.COMMUNICATION, name, begin, end);
    timeline.add(worldRank(), Track.WAIT, name, begin, end);
    return result;
  }

  @Override
  public int rank() {
    return delegate.rank();
  }

  @Override
  public int size() {
    return delegate.size();
  }

  @Override
  public int worldRank() {
    return delegate.worldRank();
  }

  @Override
  public Communicator group(List<Integer> ranks) {
    Communicator g = delegate.group(ranks);
    return g.size() == 1 ? g : new TracedCommunicator(g, timeline);
  }

  @Override
  public Work exchange(List<Transfer> transfers) {
    long bytes = 0;
    for (Transfer t : transfers) {
      bytes += t.send() ? t.tensor().byteSize() : 0;
    }
    long posted = System.nanoTime();
    String name = "exchange of " + transfers.size() + " messages, " + bytes + " bytes sent";
    return new TracedWork(delegate.exchange(transfers), name, posted);
  }

  @Override
  public Work allGather(List<Tensor> slots) {
    long posted = System.nanoTime();
    long bytes = slots.get(rank()).byteSize();
    return new TracedWork(delegate.allGather(slots), "all-gather of " + bytes + " bytes", posted);
  }

  @Override
  public Work allReduceSum(Tensor tensor) {
    long posted = System.nanoTime();
    String name = "all-reduce of " + tensor.byteSize() + " bytes";
    return new TracedWork(delegate.allReduceSum(tensor), name, posted);
  }

  @Override
  public void broadcast(byte[] bytes, int root) {
    blocking(
        "broadcast",
        () -> {
          delegate.broadcast(bytes, root);
          return root;
        });
  }

  @Override
  public List<byte[]> allGatherBytes(byte[] mine) {
    return blocking("all-gather", () -> delegate.allGatherBytes(mine));
  }

  @Override
  public void barrier() {
    blocking(
        "barrier",
        () -> {
          delegate.barrier();
          return 0;
        });
  }

  @Override
  public void setTimeout(Duration timeout) {
    delegate.setTimeout(timeout);
  }

  @Override
  public void abort(String reason) {
    delegate.abort(reason);
  }

  @Override
  public void accuse(int ofWorldRank, String message) {
    delegate.accuse(ofWorldRank, message);
  }

  @Override
  public void check() {
    delegate.check();
  }

  @Override
  public void progress(String what) {
    delegate.progress(what);
  }

  @Override
  public String heard(int ofWorldRank) {
    return delegate.heard(ofWorldRank);
  }

  @Override
  public CommStats stats() {
    return delegate.stats();
  }

  @Override
  public void close() {
    delegate.close();
  }
}
