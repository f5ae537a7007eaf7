package io.github.distrifuser.plan;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Writes down one rank's events, step by step. Equal events are kept once. */
final class StepRecorder {
  private final List<List<RankEvent>> steps = new ArrayList<>();
  private final Map<RankEvent, RankEvent> known = new HashMap<>();
  private List<RankEvent> current = new ArrayList<>(); // before the first step: not kept
  private int posts;

  /** Begins the next step. */
  void beginStep() {
    current = new ArrayList<>();
    steps.add(current);
    posts = 0;
  }

  void compute(OperatorKind kind, String name, long macs, long bytes) {
    add(new RankEvent.Compute(new Operator(kind, name, macs, bytes)));
  }

  /** Adds a post and gives its number within the step. */
  int post(RankEvent.Post post) {
    add(post);
    return posts++;
  }

  void await(int step, int post) {
    add(new RankEvent.Await(step() - step, post));
  }

  /** Number of the current step. */
  int step() {
    return steps.size() - 1;
  }

  private void add(RankEvent e) {
    RankEvent same = known.putIfAbsent(e, e);
    current.add(same == null ? e : same);
  }

  /** Number of events of the current step. */
  int events() {
    return current.size();
  }

  /** All steps' events. */
  List<List<RankEvent>> steps() {
    return steps;
  }
}
