package io.github.distrifuser.comm.local;

import io.github.distrifuser.comm.CommStats;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.comm.Work;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** A rank's place in a group: turns operations into messages. */
final class LocalCommunicator implements ParcelExchange {
  private final LocalWorld world;
  private final LocalGroup group;
  private final int rank;
  private final List<LocalCommunicator> subgroups = new ArrayList<>();
  private volatile Duration timeout;
  private int groupCalls;
  private int collectives;

  LocalCommunicator(LocalWorld world, LocalGroup group, int rank, Duration timeout) {
    this.world = world;
    this.group = group;
    this.rank = rank;
    this.timeout = timeout;
  }

  @Override
  public int rank() {
    return rank;
  }

  @Override
  public int size() {
    return group.size();
  }

  @Override
  public int worldRank() {
    return group.worldRank(rank);
  }

  @Override
  public Communicator group(List<Integer> ranks) {
    int last = -1;
    for (int r : ranks) {
      if (r <= last || r >= size()) {
        throw new IllegalArgumentException(
            "ranks " + ranks + " are not ascending numbers below " + size());
      }
      last = r;
    }
    if (!ranks.contains(rank)) {
      throw new IllegalArgumentException("rank " + rank + " is not in its group " + ranks);
    }
    LocalGroup g = world.subgroup(group, rank, groupCalls++, List.copyOf(ranks));
    LocalCommunicator c = new LocalCommunicator(world, g, ranks.indexOf(rank), timeout);
    synchronized (subgroups) {
      subgroups.add(c);
    }
    return c;
  }

  private LocalWork work(String operation, boolean collective) {
    int number = collective ? collectives++ : 0;
    return new LocalWork(world, group, rank, operation, collective, number, timeout.toNanos());
  }

  @Override
  public Work exchange(List<Transfer> transfers) {
    return exchangeParcels(
        transfers.stream()
            .map(t -> new Message(t.peer(), t.send(), t.tag(), HostBytes.of(t.tensor())))
            .toList());
  }

  @Override
  public Work exchangeParcels(List<Message> messages) {
    LocalWork w = work("exchange", false);
    for (Message m : messages) {
      if (m.peer() < 0 || m.peer() >= size() || m.peer() == rank) {
        throw new IllegalArgumentException(
            "rank " + rank + " of " + size() + " has no peer " + m.peer());
      }
      if (m.send()) {
        w.send(m.peer(), m.tag(), m.parcel());
      } else {
        w.receive(m.peer(), m.tag(), m.parcel());
      }
    }
    world.post(w);
    return w;
  }

  @Override
  public Work allGather(List<Tensor> slots) {
    if (slots.size() != size()) {
      throw new IllegalArgumentException(slots.size() + " slots for " + size() + " ranks");
    }
    List<HostBytes> bytes = slots.stream().map(HostBytes::of).toList();
    LocalWork w = work("allGather", true);
    for (int peer = 0; peer < size(); peer++) {
      if (peer != rank) {
        w.send(peer, w.number, bytes.get(rank));
        w.receive(peer, w.number, bytes.get(peer));
      }
    }
    world.post(w);
    return w;
  }

  @Override
  public Work allReduceSum(Tensor tensor) {
    DType d = tensor.dtype();
    if (d != DType.F32 && d != DType.F16 && d != DType.BF16) {
      throw new IllegalArgumentException("no sum of " + tensor);
    }
    HostBytes bytes = HostBytes.of(tensor);
    LocalWork w = work("allReduceSum of " + d, true);
    w.meetAll(bytes.length());
    if (size() > 1) {
      w.part = bytes;
      w.dtype = d;
    }
    world.post(w);
    return w;
  }

  @Override
  public void broadcast(byte[] bytes, int root) {
    if (root < 0 || root >= size()) {
      throw new IllegalArgumentException("no rank " + root + " of " + size());
    }
    HostBytes b = HostBytes.of(bytes);
    LocalWork w = work("broadcast from " + group.worldRank(root), true);
    if (rank == root) {
      for (int peer = 0; peer < size(); peer++) {
        if (peer != rank) {
          w.send(peer, w.number, b);
        }
      }
    } else {
      w.receive(root, w.number, b);
    }
    world.post(w);
    w.await();
  }

  @Override
  public List<byte[]> allGatherBytes(byte[] mine) {
    LocalWork w = work("allGatherBytes", true);
    List<LocalWork.Side> receives = new ArrayList<>();
    for (int peer = 0; peer < size(); peer++) {
      if (peer != rank) {
        w.send(peer, w.number, HostBytes.of(mine));
        receives.add(w.receiveAny(peer));
      }
    }
    world.post(w);
    w.await();
    List<byte[]> all = new ArrayList<>();
    for (LocalWork.Side r : receives) {
      if (r.received == null) {
        throw new IllegalStateException("nothing came from rank " + r.peerInWorld());
      }
      all.add(r.received);
    }
    all.add(rank, mine);
    return List.copyOf(all);
  }

  @Override
  public void barrier() {
    LocalWork w = work("barrier", true);
    w.meetAll(0);
    world.post(w);
    w.await();
  }

  @Override
  public void setTimeout(Duration timeout) {
    if (timeout.isNegative() || timeout.isZero()) {
      throw new IllegalArgumentException("a timeout of " + timeout);
    }
    this.timeout = timeout;
  }

  @Override
  public void abort(String reason) {
    world.abort(
        worldRank(), new Failure(worldRank(), "rank " + worldRank() + " aborted: " + reason));
  }

  @Override
  public void accuse(int ofWorldRank, String message) {
    world.abort(worldRank(), new Failure(ofWorldRank, message));
  }

  @Override
  public void check() {
    world.check(group, rank);
  }

  @Override
  public void progress(String what) {
    world.note(worldRank(), what);
  }

  @Override
  public String heard(int ofWorldRank) {
    return world.heard(ofWorldRank);
  }

  @Override
  public CommStats stats() {
    return world.stats(worldRank());
  }

  @Override
  public void close() {
    synchronized (subgroups) {
      subgroups.forEach(LocalCommunicator::close);
    }
    world.leave(group, rank);
  }
}
