package io.github.distrifuser.comm.local;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the ranks of a group share. The world's lock guards it. */
final class LocalGroup {
  private final List<Integer> members; // their world ranks
  private final boolean[] left;
  private final Map<Route, ArrayDeque<LocalWork.Side>> waiting = new HashMap<>();
  private final Map<Integer, Reduction> reductions = new HashMap<>();
  private final Map<Birth, LocalGroup> births = new HashMap<>();
  private int joined;

  /** Messages of a route are matched in order. */
  record Route(int from, int to, boolean collective, int tag) {}

  /** Which call of {@code group} makes which group. */
  private record Birth(int call, List<Integer> ranks) {}

  LocalGroup(List<Integer> members) {
    this.members = members;
    this.left = new boolean[members.size()];
  }

  int size() {
    return members.size();
  }

  int worldRank(int rank) {
    return members.get(rank);
  }

  /** The group of these ranks that others may have asked for already. */
  LocalGroup subgroup(int call, List<Integer> ranks) {
    Birth birth = new Birth(call, ranks);
    LocalGroup g =
        births.computeIfAbsent(
            birth, b -> new LocalGroup(ranks.stream().map(members::get).toList()));
    if (++g.joined == g.size()) {
      births.remove(birth);
    }
    return g;
  }

  // --- messages ---

  /** The other side of a message, or null: then this one waits for it. */
  LocalWork.@Nullable Side meet(LocalWork.Side side) {
    ArrayDeque<LocalWork.Side> queue =
        waiting.computeIfAbsent(side.route(), r -> new ArrayDeque<>());
    LocalWork.Side first = queue.peek();
    if (first == null || first.send == side.send) {
      queue.add(side);
      return null;
    }
    queue.remove();
    if (queue.isEmpty()) {
      waiting.remove(side.route());
    }
    return first;
  }

  /** Takes back a side that still waits. */
  void withdraw(LocalWork.Side side) {
    ArrayDeque<LocalWork.Side> queue = waiting.get(side.route());
    if (queue != null) {
      queue.remove(side);
      if (queue.isEmpty()) {
        waiting.remove(side.route());
      }
    }
  }

  /** The sum that a rank joins with its work. */
  Reduction join(LocalWork work) {
    Reduction r = reductions.computeIfAbsent(work.number, n -> new Reduction(size()));
    r.join(work);
    if (r.complete()) {
      reductions.remove(work.number);
    }
    return r;
  }

  // --- leaving ---

  boolean hasLeft(int rank) {
    return left[rank];
  }

  /** Takes back what a rank has posted and nobody has answered. */
  void leave(int rank) {
    left[rank] = true;
    List<LocalWork.Side> own = new ArrayList<>();
    for (ArrayDeque<LocalWork.Side> queue : waiting.values()) {
      queue.stream().filter(s -> s.work().rank == rank).forEach(own::add);
    }
    own.forEach(this::withdraw);
    for (Reduction r : reductions.values()) {
      if (r.hasJoined(rank)) {
        r.fail(new Failure(worldRank(rank), "rank " + worldRank(rank) + " has left"));
      }
    }
  }
}
