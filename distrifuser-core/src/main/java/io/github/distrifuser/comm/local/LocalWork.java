package io.github.distrifuser.comm.local;

import io.github.distrifuser.comm.Work;
import io.github.distrifuser.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An operation that a rank has posted: sides of messages, and a sum where it is one. The world's
 * lock guards what changes.
 */
final class LocalWork implements Work {
  /** The length of a receive that takes what comes. */
  static final long ANY = -1;

  private final LocalWorld world;
  final LocalGroup group;
  final int rank;
  final String operation;
  final boolean collective;
  final int number; // which collective of the group it is
  final long timeoutNanos;
  final List<Side> sides = new ArrayList<>();
  @Nullable HostBytes part; // of a sum
  DType dtype = DType.F32; // of a sum
  @Nullable Reduction reduction;
  int open; // sides and sums that are not done
  @Nullable Failure failure;
  private volatile boolean done;
  private long doneAt; // published by done

  /** One end of a message. */
  final class Side {
    final int peer;
    final boolean send;
    final int tag;
    final long length;
    @Nullable Parcel bytes; // null where only the meeting counts
    byte @Nullable [] received; // by a receive of any length
    boolean matched;

    private Side(int peer, boolean send, int tag, long length, @Nullable Parcel bytes) {
      this.peer = peer;
      this.send = send;
      this.tag = tag;
      this.length = length;
      this.bytes = bytes;
    }

    LocalWork work() {
      return LocalWork.this;
    }

    int peerInWorld() {
      return group.worldRank(peer);
    }

    LocalGroup.Route route() {
      return new LocalGroup.Route(send ? rank : peer, send ? peer : rank, collective, tag);
    }

    String what() {
      return operation + (collective ? "" : ", tag " + tag);
    }

    /** What is said of a peer that is late. */
    String lateness() {
      return collective ? "did not come" : send ? "received nothing" : "sent nothing";
    }
  }

  LocalWork(
      LocalWorld world,
      LocalGroup group,
      int rank,
      String operation,
      boolean collective,
      int number,
      long timeoutNanos) {
    this.world = world;
    this.group = group;
    this.rank = rank;
    this.operation = operation;
    this.collective = collective;
    this.number = number;
    this.timeoutNanos = timeoutNanos;
  }

  void finish() {
    doneAt = System.nanoTime();
    done = true;
  }

  int worldRank() {
    return group.worldRank(rank);
  }

  void send(int peer, int tag, Parcel bytes) {
    sides.add(new Side(peer, true, tag, bytes.length(), bytes));
  }

  void receive(int peer, int tag, Parcel bytes) {
    sides.add(new Side(peer, false, tag, bytes.length(), bytes));
  }

  /** Receives into an array that is made to measure. */
  Side receiveAny(int peer) {
    Side s = new Side(peer, false, number, ANY, null);
    sides.add(s);
    return s;
  }

  /** Meets all others, who must name the same length. */
  void meetAll(long length) {
    for (int peer = 0; peer < group.size(); peer++) {
      if (peer != rank) {
        sides.add(new Side(peer, true, number, length, null));
        sides.add(new Side(peer, false, number, length, null));
      }
    }
  }

  @Override
  public boolean isDone() {
    return done;
  }

  @Override
  public long doneNanos() {
    if (!done) {
      throw new IllegalStateException(operation + " is not done");
    }
    return doneAt;
  }

  @Override
  public void await() {
    if (!done) {
      world.await(this);
    }
  }
}
