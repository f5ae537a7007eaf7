package io.github.distrifuser.pipelines;

import io.github.distrifuser.comm.CommStats;
import io.github.distrifuser.comm.Communicator;
import java.util.ArrayList;
import java.util.List;

/** What each of this process's ranks sends and waits for in each step. */
final class StepStats {
  private List<Communicator> ranks = List.of();
  private final List<CommStats> before = new ArrayList<>();
  private final List<List<Long>> bytes = new ArrayList<>();
  private final List<List<Double>> waits = new ArrayList<>();

  /** A generation begins. */
  void begin(List<Communicator> communicators) {
    ranks = List.copyOf(communicators);
    before.clear();
    bytes.clear();
    waits.clear();
    for (Communicator c : ranks) {
      before.add(c.stats());
      bytes.add(new ArrayList<>());
      waits.add(new ArrayList<>());
    }
  }

  /** A step has ended. */
  void step() {
    for (int i = 0; i < ranks.size(); i++) {
      CommStats now = ranks.get(i).stats();
      CommStats then = before.set(i, now);
      bytes.get(i).add(now.bytesSent() - then.bytesSent());
      waits.get(i).add((now.waitNanos() - then.waitNanos()) * 1e-9);
    }
  }

  /** Bytes sent, by rank and step. */
  List<List<Long>> bytesSent() {
    return bytes.stream().map(List::copyOf).toList();
  }

  /** Seconds waited, by rank and step. */
  List<List<Double>> waitSeconds() {
    return waits.stream().map(List::copyOf).toList();
  }
}
