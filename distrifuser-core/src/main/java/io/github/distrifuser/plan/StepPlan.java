package io.github.distrifuser.plan;

import java.util.ArrayList;
import java.util.List;

/** Which steps of a generation are played: of those that repeat, a few stand for all. */
final class StepPlan {
  /** How often like steps are played; by then what the first ones began has settled. */
  private static final int PLAYED = 3;

  private StepPlan() {}

  static List<Simulation.StepRun> of(Workload w) {
    List<Simulation.StepRun> runs = new ArrayList<>();
    int[] count = new int[Workload.RECORDED];
    int[] last = new int[Workload.RECORDED];
    for (int step = 0; step < w.steps(); step++) {
      int r = w.recordedStep(step);
      if (count[r] < PLAYED) {
        last[r] = runs.size();
        runs.add(new Simulation.StepRun(r, 1));
      } else {
        Simulation.StepRun like = runs.get(last[r]);
        runs.set(last[r], new Simulation.StepRun(r, like.times() + 1));
      }
      count[r]++;
    }
    return runs;
  }
}
