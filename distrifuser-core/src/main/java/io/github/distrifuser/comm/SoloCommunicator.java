package io.github.distrifuser.comm;

import io.github.distrifuser.tensor.Tensor;
import java.time.Duration;
import java.util.List;

/** The group of one rank: every operation is done at once. */
public final class SoloCommunicator implements Communicator {
  private static final Work DONE =
      new Work() {
        @Override
        public boolean isDone() {
          return true;
        }

        @Override
        public long doneNanos() {
          return System.nanoTime();
        }

        @Override
        public void await() {}
      };

  private final int worldRank;

  public SoloCommunicator() {
    this(0);
  }

  /** A group of one within a larger world. */
  public SoloCommunicator(int worldRank) {
    this.worldRank = worldRank;
  }

  @Override
  public int rank() {
    return 0;
  }

  @Override
  public int size() {
    return 1;
  }

  @Override
  public int worldRank() {
    return worldRank;
  }

  @Override
  public Communicator group(List<Integer> ranks) {
    if (!ranks.equals(List.of(0))) {
      throw new IllegalArgumentException("a group of one rank has no ranks " + ranks);
    }
    return this;
  }

  @Override
  public Work exchange(List<Transfer> transfers) {
    if (!transfers.isEmpty()) {
      throw new IllegalArgumentException("a group of one rank has no peer " + transfers.get(0));
    }
    return DONE;
  }

  @Override
  public Work allGather(List<Tensor> slots) {
    return DONE;
  }

  @Override
  public Work allReduceSum(Tensor tensor) {
    return DONE;
  }

  @Override
  public void broadcast(byte[] bytes, int root) {}

  @Override
  public List<byte[]> allGatherBytes(byte[] mine) {
    return List.of(mine);
  }

  @Override
  public void barrier() {}

  @Override
  public void setTimeout(Duration timeout) {}

  @Override
  public void abort(String reason) {}

  @Override
  public CommStats stats() {
    return new CommStats(0, 0, 0);
  }

  @Override
  public void close() {}
}
