package io.github.distrifuser.schedulers;

/** Which of a run's timesteps comes next, where a scheduler counts its steps. */
final class StepCounter {
  private static final int UNKNOWN = -1;

  private final SchedulerConfig config;
  private int begin = UNKNOWN;
  private int step = UNKNOWN;

  StepCounter(SchedulerConfig config) {
    this.config = config;
  }

  void reset() {
    begin = UNKNOWN;
    step = UNKNOWN;
  }

  void begin(int index) {
    if (index < 0) {
      throw config.error("begin index: expected 0 or more, found " + index);
    }
    begin = index;
  }

  /**
   * Index of the step at hand; the first call of a run finds it.
   *
   * @throws IllegalArgumentException if {@code t} is not one of the timesteps, or the run is over
   */
  int at(double t, double[] timesteps) {
    if (step == UNKNOWN) {
      step = begin != UNKNOWN ? begin : find(t, timesteps);
    }
    if (step >= timesteps.length) {
      throw config.error("all " + timesteps.length + " timesteps are done");
    }
    return step;
  }

  void advance() {
    step++;
  }

  /**
   * Index for {@code addNoise}: the step at hand where the pipeline set the begin, else by search.
   */
  int forNoise(double t, double[] timesteps) {
    if (begin == UNKNOWN) {
      return find(t, timesteps);
    }
    return step != UNKNOWN ? step : begin;
  }

  /**
   * Where a timestep is repeated, the second of its places, as upstream has it; but a run that
   * begins with the first timestep begins there, though the second be the same.
   */
  private int find(double t, double[] timesteps) {
    if (timesteps[0] == t) {
      return 0;
    }
    int found = UNKNOWN;
    for (int i = 0; i < timesteps.length; i++) {
      if (timesteps[i] == t) {
        if (found != UNKNOWN) {
          return i;
        }
        found = i;
      }
    }
    if (found == UNKNOWN) {
      throw config.error("timestep " + t + " is none of this run's " + timesteps.length);
    }
    return found;
  }
}
