package io.github.distrifuser.plan;

import java.util.PriorityQueue;

/**
 * Ranks that compute at the same time, at full speed while there are no more than the device takes,
 * else each at an equal share. Kept in a time of its own that runs at the ranks' common speed, so
 * that a rank's end in it is known when it begins.
 */
final class SharedCores {
  private final double capacity;
  private final PriorityQueue<Job> jobs = new PriorityQueue<>();
  private double now; // real time
  private double own; // time at the ranks' speed
  private long order;

  private record Job(double end, long order, int rank) implements Comparable<Job> {
    @Override
    public int compareTo(Job o) {
      int c = Double.compare(end, o.end);
      return c != 0 ? c : Long.compare(order, o.order);
    }
  }

  SharedCores(double capacity) {
    this.capacity = capacity;
  }

  private double speed() {
    return Math.min(1, capacity / Math.max(1, jobs.size()));
  }

  /** Lets time pass; not beyond {@link #nextEnd}. */
  void advance(double to) {
    own += (to - now) * speed();
    now = to;
  }

  void begin(int rank, double seconds) {
    jobs.add(new Job(own + seconds, order++, rank));
  }

  /** When the next rank is through, if none begins before. */
  double nextEnd() {
    Job first = jobs.peek();
    return first == null ? Double.POSITIVE_INFINITY : now + Math.max(0, first.end - own) / speed();
  }

  /** The rank that is through. */
  int end() {
    Job first = jobs.remove();
    own = Math.max(own, first.end);
    return first.rank;
  }
}
