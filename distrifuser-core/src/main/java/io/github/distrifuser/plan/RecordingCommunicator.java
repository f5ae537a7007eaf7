package io.github.distrifuser.plan;

import io.github.distrifuser.comm.CommStats;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.comm.Work;
import io.github.distrifuser.tensor.Tensor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * One rank's view of ranks that are not there: writes down what is posted and waited for. Every
 * operation is done when it is asked for, so that one rank can be played alone.
 */
final class RecordingCommunicator implements Communicator {
  /** Tag of all collectives, apart from those that layers give: they pair in their order. */
  private static final int COLLECTIVE = -1;

  private final StepRecorder recorder;
  private final List<Integer> members; // world ranks, ascending
  private final int worldRank;
  private long bytesSent;
  private long messagesSent;

  /** All ranks of a world. */
  RecordingCommunicator(StepRecorder recorder, int size, int rank) {
    this(recorder, IntStream.range(0, size).boxed().toList(), rank);
  }

  private RecordingCommunicator(StepRecorder recorder, List<Integer> members, int worldRank) {
    this.recorder = recorder;
    this.members = members;
    this.worldRank = worldRank;
  }

  @Override
  public int rank() {
    return members.indexOf(worldRank);
  }

  @Override
  public int size() {
    return members.size();
  }

  @Override
  public int worldRank() {
    return worldRank;
  }

  @Override
  public Communicator group(List<Integer> ranks) {
    List<Integer> world = ranks.stream().map(members::get).toList();
    if (!world.contains(worldRank)) {
      throw new IllegalArgumentException("rank " + worldRank + " is not among " + world);
    }
    return new RecordingCommunicator(recorder, world, worldRank);
  }

  private Work post(List<RankEvent.Message> messages, long reducedBytes) {
    if (members.size() == 1) {
      return new Recorded(recorder.step(), -1);
    }
    RankEvent.Post p = new RankEvent.Post(members, messages, reducedBytes);
    bytesSent += p.bytesSent();
    messagesSent += messages.stream().filter(RankEvent.Message::send).count();
    return new Recorded(recorder.step(), recorder.post(p));
  }

  /** A posted operation; number -1 for one that concerns nobody else. */
  private final class Recorded implements Work {
    private final int step;
    private final int number;
    private boolean awaited;

    Recorded(int step, int number) {
      this.step = step;
      this.number = number;
    }

    @Override
    public boolean isDone() {
      return awaited;
    }

    @Override
    public long doneNanos() {
      throw new UnsupportedOperationException("what is recorded takes no time");
    }

    @Override
    public void await() {
      if (number >= 0 && !awaited) {
        recorder.await(step, number);
      }
      awaited = true;
    }
  }

  @Override
  public Work exchange(List<Transfer> transfers) {
    List<RankEvent.Message> all = new ArrayList<>();
    for (Transfer t : transfers) {
      all.add(
          new RankEvent.Message(members.get(t.peer()), t.send(), t.tag(), t.tensor().byteSize()));
    }
    return post(all, 0);
  }

  @Override
  public Work allGather(List<Tensor> slots) {
    long mine = slots.get(rank()).byteSize();
    List<RankEvent.Message> all = new ArrayList<>();
    for (int i = 0; i < members.size(); i++) {
      if (members.get(i) != worldRank) {
        all.add(new RankEvent.Message(members.get(i), true, COLLECTIVE, mine));
        all.add(new RankEvent.Message(members.get(i), false, COLLECTIVE, slots.get(i).byteSize()));
      }
    }
    return post(all, 0);
  }

  @Override
  public Work allReduceSum(Tensor tensor) {
    return post(List.of(), tensor.byteSize());
  }

  @Override
  public void broadcast(byte[] bytes, int root) {
    throw new UnsupportedOperationException("no broadcast is expected within a step");
  }

  @Override
  public List<byte[]> allGatherBytes(byte[] mine) {
    throw new UnsupportedOperationException("no gathering of bytes is expected within a step");
  }

  @Override
  public void barrier() {}

  @Override
  public void setTimeout(Duration timeout) {}

  @Override
  public void abort(String reason) {}

  @Override
  public CommStats stats() {
    return new CommStats(bytesSent, messagesSent, 0);
  }

  @Override
  public void close() {}
}
