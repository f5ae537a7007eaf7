package io.github.distrifuser.comm.local;

import io.github.distrifuser.comm.CommStats;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Matches the ranks' messages and copies them. One lock guards all that is shared; bytes are copied
 * and summed outside it, and a rank that gives up waits until nobody is at its tensors.
 */
final class LocalWorld {
  private final ReentrantLock lock = new ReentrantLock();
  private final List<RankState> ranks = new ArrayList<>();
  private @Nullable Failure aborted;

  /** One rank, in all its groups. */
  private static final class RankState {
    final Condition changed;
    int busy; // threads that are copying or summing its tensors
    long bytesSent;
    long messagesSent;
    long waitNanos;
    String doing = "";

    RankState(Condition changed) {
      this.changed = changed;
    }
  }

  /** A message whose two sides have met. */
  private record Pair(LocalWork.Side send, LocalWork.Side receive) {
    @Override
    public String toString() {
      return "rank %d's message to rank %d (%s)"
          .formatted(receive.peerInWorld(), send.peerInWorld(), send.what());
    }
  }

  LocalWorld(int size) {
    for (int i = 0; i < size; i++) {
      ranks.add(new RankState(lock.newCondition()));
    }
  }

  // --- posting ---

  /** Matches what waits already, and copies it before it returns. */
  void post(LocalWork work) {
    List<Pair> pairs = new ArrayList<>();
    lock.lock();
    try {
      Failure f = closedFor(work.group, work.rank);
      if (f != null) {
        throw f.exception();
      }
      RankState own = ranks.get(work.worldRank());
      work.open = work.sides.size() + (work.part == null ? 0 : 1);
      if (work.open == 0) {
        work.finish();
      }
      for (LocalWork.Side side : work.sides) {
        if (side.send) {
          own.bytesSent += side.length;
          own.messagesSent++;
        }
        LocalWork.Side other = work.group.meet(side);
        if (other != null) {
          meet(side.send ? new Pair(side, other) : new Pair(other, side), side, pairs);
        }
      }
      if (work.part != null) {
        Reduction r = work.group.join(work);
        work.reduction = r;
        if (r.complete()) {
          takePart(r);
        }
      }
    } finally {
      lock.unlock();
    }
    pairs.forEach(this::copy);
  }

  private void meet(Pair pair, LocalWork.Side later, List<Pair> pairs) {
    pair.send.matched = true;
    pair.receive.matched = true;
    Failure f = disagreement(pair, later);
    if (f != null) {
      fail(pair, f);
      return;
    }
    Parcel bytes = pair.send.bytes;
    if (pair.receive.length == LocalWork.ANY) {
      byte[] array = new byte[(int) pair.send.length];
      pair.receive.received = array;
      pair.receive.bytes = HostBytes.of(array);
    }
    if (bytes == null || bytes.length() == 0) {
      settle(pair.send.work());
      settle(pair.receive.work());
      return;
    }
    rank(pair.send).busy++;
    rank(pair.receive).busy++;
    pairs.add(pair);
  }

  private static @Nullable Failure disagreement(Pair pair, LocalWork.Side later) {
    LocalWork s = pair.send.work();
    LocalWork r = pair.receive.work();
    if (!s.operation.equals(r.operation)) {
      LocalWork first = later.work() == s ? r : s;
      return new Failure(
          later.work().worldRank(),
          "rank %d called %s where rank %d called %s"
              .formatted(
                  later.work().worldRank(),
                  later.work().operation,
                  first.worldRank(),
                  first.operation));
    }
    if (pair.receive.length != LocalWork.ANY && pair.receive.length != pair.send.length) {
      return new Failure(
          s.worldRank(),
          "rank %d has %d bytes where rank %d expects %d (%s)"
              .formatted(
                  s.worldRank(),
                  pair.send.length,
                  r.worldRank(),
                  pair.receive.length,
                  pair.send.what()));
    }
    return null;
  }

  private void copy(Pair pair) {
    boolean copied = false;
    RuntimeException cause = null;
    try {
      if (pair.send.bytes != null && pair.receive.bytes != null) {
        pair.send.bytes.travelTo(pair.receive.bytes);
      }
      copied = true;
    } catch (RuntimeException e) {
      cause = e;
    } finally {
      lock.lock();
      rank(pair.send).busy--;
      rank(pair.receive).busy--;
      if (copied) {
        settle(pair.send.work());
        settle(pair.receive.work());
      } else {
        fail(pair, new Failure(-1, pair + " was not copied: " + cause, cause));
      }
      lock.unlock();
    }
  }

  /** Helps with a sum. Called under the lock, which is released meanwhile. */
  private void takePart(Reduction r) {
    r.works().forEach(w -> ranks.get(w.worldRank()).busy++);
    lock.unlock();
    long count = -1;
    RuntimeException cause = null;
    try {
      count = r.sumBlocks();
    } catch (RuntimeException e) {
      cause = e;
    } finally {
      lock.lock();
      if (count < 0) {
        r.fail(new Failure(-1, "a sum was not taken: " + cause, cause));
      }
      boolean finished = r.finish(count);
      for (LocalWork w : r.works()) {
        ranks.get(w.worldRank()).busy--;
        if (finished) {
          settle(w);
        }
        signal(w);
      }
    }
  }

  /** One part of a work is done. */
  private void settle(LocalWork w) {
    w.open--;
    if (w.open == 0) {
      w.finish();
    }
    signal(w);
  }

  private void fail(Pair pair, Failure f) {
    for (LocalWork w : List.of(pair.send.work(), pair.receive.work())) {
      if (w.failure == null) {
        w.failure = f;
      }
      signal(w);
    }
  }

  private RankState rank(LocalWork.Side side) {
    return ranks.get(side.work().worldRank());
  }

  private void signal(LocalWork w) {
    ranks.get(w.worldRank()).changed.signalAll();
  }

  // --- waiting ---

  /** Returns when a work is done; where it fails, nobody is at its tensors any more. */
  void await(LocalWork w) {
    RankState own = ranks.get(w.worldRank());
    long start = System.nanoTime();
    lock.lock();
    try {
      while (!w.isDone()) {
        Failure f = failureOf(w);
        if (f == null && w.reduction != null && w.reduction.needsHands()) {
          takePart(w.reduction);
          continue;
        }
        long left = w.timeoutNanos - (System.nanoTime() - start);
        LocalWork.Side late = f == null && left <= 0 ? lateSide(w) : null;
        if (late != null) {
          f = lateness(w, late);
        }
        if (f != null) {
          giveUp(w, f);
          throw f.exception();
        }
        if (left > 0) {
          own.changed.awaitNanos(left);
        } else {
          own.changed.await(); // all have come: a copy is under way
        }
      }
    } catch (InterruptedException e) {
      LocalWork.Side late = lateSide(w);
      String who = late == null ? "" : " for rank " + late.peerInWorld();
      Failure f = new Failure(-1, "interrupted while waiting" + who + " (" + w.operation + ")", e);
      giveUp(w, f);
      Thread.currentThread().interrupt();
      throw f.exception();
    } finally {
      own.waitNanos += System.nanoTime() - start;
      lock.unlock();
    }
  }

  private @Nullable Failure failureOf(LocalWork w) {
    if (w.failure != null) {
      return w.failure;
    }
    Failure f = closedFor(w.group, w.rank);
    if (f == null && w.reduction != null) {
      f = w.reduction.failure();
    }
    if (f != null) {
      return f;
    }
    for (LocalWork.Side s : w.sides) {
      if (!s.matched && w.group.hasLeft(s.peer)) {
        return new Failure(
            s.peerInWorld(), "rank " + s.peerInWorld() + " has left (" + s.what() + ")");
      }
    }
    return null;
  }

  /** A peer that has not come, first of all one that this rank receives from; null if all have. */
  private static LocalWork.@Nullable Side lateSide(LocalWork w) {
    LocalWork.Side late = null;
    for (LocalWork.Side s : w.sides) {
      if (!s.matched && (late == null || late.send && !s.send)) {
        late = s;
      }
    }
    return late;
  }

  private static Failure lateness(LocalWork w, LocalWork.Side late) {
    Duration d = Duration.ofNanos(w.timeoutNanos);
    String time = d.toMillis() % 1000 == 0 ? d.toSeconds() + " s" : d.toMillis() + " ms";
    int rank = late.peerInWorld();
    return new Failure(
        rank, "rank " + rank + " " + late.lateness() + " for " + time + " (" + late.what() + ")");
  }

  private void giveUp(LocalWork w, Failure f) {
    w.failure = f;
    for (LocalWork.Side s : w.sides) {
      if (!s.matched) {
        w.group.withdraw(s);
      }
    }
    Reduction r = w.reduction;
    if (r != null && !r.complete()) {
      r.fail(new Failure(f.rank(), f.message() + ", says rank " + w.worldRank(), f.cause()));
      signalAll();
    }
    awaitIdle(w.worldRank());
  }

  /** Returns when nobody is at a rank's tensors. */
  private void awaitIdle(int worldRank) {
    RankState r = ranks.get(worldRank);
    while (r.busy > 0) {
      r.changed.awaitUninterruptibly();
    }
  }

  private void signalAll() {
    ranks.forEach(r -> r.changed.signalAll());
  }

  // --- groups, leaving, failing ---

  private @Nullable Failure closedFor(LocalGroup group, int rank) {
    if (aborted == null && group.hasLeft(rank)) {
      int r = group.worldRank(rank);
      return new Failure(r, "rank " + r + " has left");
    }
    return aborted;
  }

  LocalGroup subgroup(LocalGroup parent, int rank, int call, List<Integer> members) {
    lock.lock();
    try {
      Failure f = closedFor(parent, rank);
      if (f != null) {
        throw f.exception();
      }
      return parent.subgroup(call, members);
    } finally {
      lock.unlock();
    }
  }

  void leave(LocalGroup group, int rank) {
    lock.lock();
    try {
      if (!group.hasLeft(rank)) {
        group.leave(rank);
        signalAll();
      }
      awaitIdle(group.worldRank(rank));
    } finally {
      lock.unlock();
    }
  }

  void abort(int worldRank, Failure why) {
    lock.lock();
    try {
      if (aborted == null) {
        aborted = why;
        signalAll();
      }
      awaitIdle(worldRank);
    } finally {
      lock.unlock();
    }
  }

  void check(LocalGroup group, int rank) {
    lock.lock();
    try {
      Failure f = closedFor(group, rank);
      if (f != null) {
        throw f.exception();
      }
    } finally {
      lock.unlock();
    }
  }

  void note(int worldRank, String what) {
    lock.lock();
    try {
      ranks.get(worldRank).doing = what;
    } finally {
      lock.unlock();
    }
  }

  String heard(int worldRank) {
    lock.lock();
    try {
      return ranks.get(worldRank).doing;
    } finally {
      lock.unlock();
    }
  }

  CommStats stats(int worldRank) {
    lock.lock();
    try {
      RankState r = ranks.get(worldRank);
      return new CommStats(r.bytesSent, r.messagesSent, r.waitNanos);
    } finally {
      lock.unlock();
    }
  }
}
