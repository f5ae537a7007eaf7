package io.github.distrifuser.plan;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;

/**
 * Operations between ranks under way. A message travels once both sides have begun its operation,
 * and takes its share of the sender's and of the receiver's bandwidth.
 */
final class SimulatedNetwork {
  private final LinkModel link;
  private final double[] sending; // until when a rank's outgoing link is taken
  private final double[] receiving;
  private final List<Deque<Operation>> streams = new ArrayList<>(); // posted and not done
  private final Map<Route, Deque<Operation>> begun = new HashMap<>();
  private final Map<List<Integer>, List<Deque<Operation>>> sums = new HashMap<>();
  private final PriorityQueue<Ending> endings = new PriorityQueue<>();
  private long order;

  /** A rank's part in an operation. */
  static final class Operation {
    final int rank;
    final RankEvent.Post post;
    private int missing; // messages that have no end yet
    private double end;
    private boolean done;

    private Operation(int rank, RankEvent.Post post) {
      this.rank = rank;
      this.post = post;
      this.missing = post.reducedBytes() > 0 ? 1 : post.messages().size();
    }

    boolean isDone() {
      return done;
    }
  }

  private record Route(List<Integer> group, int from, int to, int tag, boolean fromSender) {}

  private record Ending(double time, long order, Operation operation)
      implements Comparable<Ending> {
    @Override
    public int compareTo(Ending o) {
      int c = Double.compare(time, o.time);
      return c != 0 ? c : Long.compare(order, o.order);
    }
  }

  SimulatedNetwork(LinkModel link, int ranks) {
    this.link = link;
    this.sending = new double[ranks];
    this.receiving = new double[ranks];
    for (int i = 0; i < ranks; i++) {
      streams.add(new ArrayDeque<>());
    }
  }

  Operation post(int rank, RankEvent.Post post, double now) {
    Operation o = new Operation(rank, post);
    Deque<Operation> stream = streams.get(rank);
    stream.add(o);
    if (!link.ordered() || stream.size() == 1) {
      begin(o, now);
    }
    return o;
  }

  private void begin(Operation o, double now) {
    o.end = now;
    if (o.post.reducedBytes() > 0) {
      beginSum(o, now);
      return;
    }
    for (RankEvent.Message m : o.post.messages()) {
      beginMessage(o, m, now);
    }
    endIfKnown(o);
  }

  private void beginMessage(Operation o, RankEvent.Message m, double now) {
    int from = m.send() ? o.rank : m.peer();
    int to = m.send() ? m.peer() : o.rank;
    Deque<Operation> others = begun.get(new Route(o.post.group(), from, to, m.tag(), !m.send()));
    Operation other = others == null ? null : others.poll();
    if (other == null) {
      begun
          .computeIfAbsent(
              new Route(o.post.group(), from, to, m.tag(), m.send()), k -> new ArrayDeque<>(2))
          .add(o);
      return;
    }
    double seconds = m.bytes() / link.bandwidth();
    sending[from] = Math.max(sending[from], now) + seconds;
    receiving[to] = Math.max(receiving[to], now) + seconds;
    double end = Math.max(sending[from], receiving[to]);
    arrive(o, end);
    arrive(other, end);
    endIfKnown(other);
  }

  /** Sums pair in their order: the k-th of one rank with the k-th of each other. */
  private void beginSum(Operation o, double now) {
    List<Integer> group = o.post.group();
    List<Deque<Operation>> waiting =
        sums.computeIfAbsent(
            group,
            g -> {
              List<Deque<Operation>> empty = new ArrayList<>();
              g.forEach(r -> empty.add(new ArrayDeque<>()));
              return empty;
            });
    waiting.get(group.indexOf(o.rank)).add(o);
    if (waiting.stream().anyMatch(Deque::isEmpty)) {
      return;
    }
    double end = now + link.reduceSeconds(o.post);
    for (Deque<Operation> w : waiting) {
      Operation each = w.remove();
      arrive(each, end);
      endIfKnown(each);
    }
  }

  private static void arrive(Operation o, double end) {
    o.missing--;
    o.end = Math.max(o.end, end);
  }

  private void endIfKnown(Operation o) {
    if (o.missing == 0) {
      o.missing = -1;
      endings.add(new Ending(o.end + link.latency(o.post), order++, o));
    }
  }

  /** When the next operation is done. */
  double nextEnd() {
    Ending e = endings.peek();
    return e == null ? Double.POSITIVE_INFINITY : e.time;
  }

  /** Ends it, and begins what waited behind it. */
  Operation end() {
    Ending e = endings.remove();
    Operation o = e.operation;
    o.done = true;
    Deque<Operation> stream = streams.get(o.rank);
    stream.remove(o);
    @Nullable Operation next = stream.peek();
    if (link.ordered() && next != null) {
      begin(next, e.time);
    }
    return o;
  }
}
