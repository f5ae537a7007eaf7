package io.github.distrifuser.schedulers;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What all schedulers share: the configuration, the training schedule and the run's timesteps. */
abstract class AbstractScheduler implements Scheduler {
  final SchedulerConfig config;
  final NoiseSchedule schedule;
  private double[] timesteps = new double[0];

  AbstractScheduler(SchedulerConfig config, NoiseSchedule schedule) {
    this.config = config;
    this.schedule = schedule;
  }

  @Override
  public final SchedulerConfig config() {
    return config;
  }

  @Override
  public Scheduler fresh() {
    Map<String, @Nullable Object> given = config.given();
    return Schedulers.fromConfig(given);
  }

  @Override
  public final double[] timesteps() {
    return timesteps.clone();
  }

  /** The run's timesteps without a copy; not to be modified. */
  final double[] run() {
    if (timesteps.length == 0) {
      throw new IllegalStateException(config.className() + ": call setTimesteps first");
    }
    return timesteps;
  }

  final void begin(double[] runTimesteps) {
    timesteps = runTimesteps;
  }

  /** Refuses counts below 1, and above the number of training steps. */
  final int checkSteps(int n) {
    int train = schedule.trainTimesteps();
    if (n < 1 || n > train) {
      throw config.error("number of inference steps: expected 1 to " + train + ", found " + n);
    }
    return n;
  }

  /** Checks timesteps of the caller's own: whole numbers, descending, of the training steps. */
  final double[] checkTimesteps(double[] given) {
    if (given.length == 0) {
      throw config.error("timesteps: expected at least one");
    }
    for (int i = 0; i < given.length; i++) {
      schedule.alpha(given[i]);
      if (i > 0 && given[i] >= given[i - 1]) {
        throw config.error("timesteps: " + given[i] + " does not descend from " + given[i - 1]);
      }
    }
    return given.clone();
  }

  final void checkLengths(float[] modelOutput, float[] sample) {
    if (modelOutput.length != sample.length) {
      throw config.error(
          "model output of "
              + modelOutput.length
              + " elements for a sample of "
              + sample.length
              + " (learned variances are not supported)");
    }
  }
}
