package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.comm.CommStats;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.comm.Work;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A group of processes that talk over TCP. Tensors must be in the host's memory. */
final class TcpCommunicator implements Communicator {
  private static final int NOTE_LENGTH = 200;
  private static final Duration LONGEST_TIMEOUT = Duration.ofDays(1000);

  private final Group group;
  private final boolean ownsWorld;
  private volatile Duration timeout;
  private final List<TcpCommunicator> parts = new CopyOnWriteArrayList<>();
  private long groups;
  private long collectives;
  private volatile boolean closed;

  private TcpCommunicator(Group group, boolean ownsWorld, Duration timeout) {
    this.group = group;
    this.ownsWorld = ownsWorld;
    this.timeout = timeout;
  }

  /** All ranks of a world, which ends when the communicator is closed. */
  static TcpCommunicator of(World world) {
    return new TcpCommunicator(Group.all(world), true, DEFAULT_TIMEOUT);
  }

  @Override
  public int rank() {
    return group.rank();
  }

  @Override
  public int size() {
    return group.size();
  }

  @Override
  public int worldRank() {
    return group.world().rank();
  }

  @Override
  public Communicator group(List<Integer> ranks) {
    checkOpen();
    TcpCommunicator part = new TcpCommunicator(group.part(groups++, ranks), false, timeout);
    parts.add(part);
    return part;
  }

  private void checkOpen() {
    if (closed) {
      throw new CommException(worldRank(), "rank " + worldRank() + " has closed its communicator");
    }
  }

  // ---- operations in the background ----

  /** Posts; the task runs on the event loop and names what the work consists of. */
  private TcpWork post(Task task) {
    checkOpen();
    group.world().throwIfFailed();
    TcpWork work = new TcpWork(group.world(), timeout);
    group.world().post(work, () -> task.post(work));
    return work;
  }

  @FunctionalInterface
  private interface Task {
    void post(TcpWork work);
  }

  private Group.Message collective(Operation operation) {
    return new Group.Message(MessageKey.collective(group.id(), collectives++, 0), operation);
  }

  private void send(int to, Group.Message message, HostBytes bytes, TcpWork work) {
    work.addParts(1);
    group.send(to, message, bytes, work, work::partDone);
  }

  private void receive(int from, Group.Message message, Sink sink, TcpWork work) {
    work.addParts(1);
    group.receive(from, message, sink, work, work::partDone);
  }

  @Override
  public Work exchange(List<Transfer> transfers) {
    List<HostBytes> bytes = new ArrayList<>();
    for (Transfer t : transfers) {
      if (t.peer() < 0 || t.peer() >= size() || t.peer() == rank()) {
        throw new IllegalArgumentException(
            "rank " + rank() + " of " + size() + " has no peer " + t.peer());
      }
      bytes.add(HostBytes.of(t.tensor()));
    }
    return post(
        work -> {
          for (int i = 0; i < bytes.size(); i++) {
            Transfer t = transfers.get(i);
            Group.Message message =
                new Group.Message(MessageKey.transfer(group.id(), t.tag()), Operation.EXCHANGE);
            if (t.send()) {
              send(t.peer(), message, bytes.get(i), work);
            } else {
              receive(t.peer(), message, new Sink.Memory(bytes.get(i)), work);
            }
          }
        });
  }

  @Override
  public Work allGather(List<Tensor> slots) {
    if (slots.size() != size()) {
      throw new IllegalArgumentException(
          size() + " ranks need as many slots, found " + slots.size());
    }
    List<HostBytes> bytes = slots.stream().map(HostBytes::of).toList();
    Group.Message message = collective(Operation.ALL_GATHER);
    return post(
        work -> {
          for (int r : group.others()) {
            send(r, message, bytes.get(rank()), work);
            receive(r, message, new Sink.Memory(bytes.get(r)), work);
          }
        });
  }

  @Override
  public Work allReduceSum(Tensor tensor) {
    DType dtype = tensor.dtype();
    if (!dtype.isFloat()) {
      throw new IllegalArgumentException("can sum F32, F16 and BF16, found " + tensor);
    }
    HostBytes numbers = HostBytes.of(tensor);
    long first = collectives;
    long rounds = Math.max(1, (numbers.size() + AllReduce.ROUND - 1) / AllReduce.ROUND);
    boolean whole = AllReduce.whole(size(), numbers.size());
    collectives += rounds;
    return post(
        work -> {
          for (long i = 0; i < rounds; i++) {
            long from = i * AllReduce.ROUND;
            HostBytes part = numbers.range(from, Math.min(numbers.size(), from + AllReduce.ROUND));
            new AllReduce(group, first + i, part, dtype, work, whole).start();
          }
        });
  }

  // ---- operations that block ----

  @Override
  public void broadcast(byte[] bytes, int root) {
    if (root < 0 || root >= size()) {
      throw new IllegalArgumentException("a group of " + size() + " has no rank " + root);
    }
    HostBytes memory = HostBytes.of(ByteBuffer.wrap(bytes));
    Group.Message message = collective(Operation.BROADCAST);
    post(work -> {
          if (rank() == root) {
            group.others().forEach(r -> send(r, message, memory, work));
          } else {
            receive(root, message, new Sink.Memory(memory), work);
          }
        })
        .await();
  }

  @Override
  public List<byte[]> allGatherBytes(byte[] mine) {
    return gather(mine, Operation.ALL_GATHER_BYTES);
  }

  private List<byte[]> gather(byte[] mine, Operation operation) {
    HostBytes memory = HostBytes.of(ByteBuffer.wrap(mine));
    Group.Message message = collective(operation);
    List<Sink.Array> arrays = new ArrayList<>();
    for (int r = 0; r < size(); r++) {
      arrays.add(new Sink.Array());
    }
    post(work -> {
          for (int r : group.others()) {
            send(r, message, memory, work);
            receive(r, message, arrays.get(r), work);
          }
        })
        .await();
    List<byte[]> all = new ArrayList<>();
    for (int r = 0; r < size(); r++) {
      all.add(r == rank() ? Arrays.copyOf(mine, mine.length) : arrays.get(r).bytes());
    }
    return all;
  }

  @Override
  public void barrier() {
    gather(new byte[0], Operation.BARRIER);
  }

  // ---- life ----

  @Override
  public void setTimeout(Duration timeout) {
    if (timeout.isZero() || timeout.isNegative()) {
      throw new IllegalArgumentException("no operation can be done within " + timeout);
    }
    this.timeout = timeout.compareTo(LONGEST_TIMEOUT) < 0 ? timeout : LONGEST_TIMEOUT;
  }

  @Override
  public void abort(String reason) {
    group.world().abort(reason);
  }

  @Override
  public void accuse(int ofWorldRank, String message) {
    group.world().accuse(ofWorldRank, message);
  }

  @Override
  public void check() {
    group.world().throwIfFailed();
  }

  @Override
  public String heard(int ofWorldRank) {
    return ofWorldRank == worldRank() ? "" : group.world().peer(ofWorldRank).note();
  }

  @Override
  public CommStats stats() {
    return group.world().counters().stats();
  }

  @Override
  public void progress(String what) {
    if (!closed) {
      group.world().note(what.substring(0, Math.min(what.length(), NOTE_LENGTH)));
    }
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    if (ownsWorld) {
      group.world().close();
    } else {
      parts.forEach(TcpCommunicator::close);
      group.leave();
    }
  }
}
