package io.github.distrifuser.schedulers;

import java.util.Arrays;
import java.util.EnumSet;
import org.jspecify.annotations.Nullable;

/**
 * What DPM-Solver and UniPC share: samples of unit variance, half the log-SNR as the variable that
 * the solver steps along, and a history of predictions.
 */
abstract class MultistepScheduler extends AbstractScheduler {
  final int solverOrder;
  final PredictionType prediction;
  final Thresholding thresholding;
  final TimestepSpacing spacing;
  final int offset;
  final FinalSigmasType finalSigmas;
  final Sigmas.Range range;
  final StepCounter counter;
  private float[] sigmas = new float[0];
  private final float @Nullable [][] history; // newest prediction first
  private int taken; // steps taken, up to the order

  MultistepScheduler(SchedulerConfig config, NoiseSchedule schedule) {
    super(config, schedule);
    solverOrder = config.integer("solver_order", 2);
    if (solverOrder < 1 || solverOrder > 3) {
      throw config.error("solver_order: expected 1, 2 or 3, found " + solverOrder);
    }
    prediction =
        config.choice(
            "prediction_type", PredictionType.EPSILON, EnumSet.allOf(PredictionType.class));
    thresholding = Thresholding.of(config);
    spacing =
        config.choice(
            "timestep_spacing", TimestepSpacing.LINSPACE, EnumSet.allOf(TimestepSpacing.class));
    offset = config.integer("steps_offset", 0);
    finalSigmas =
        config.choice(
            "final_sigmas_type", FinalSigmasType.ZERO, EnumSet.allOf(FinalSigmasType.class));
    range = Sigmas.Range.of(config);
    config.refuse("use_flow_sigmas", false);
    config.number("flow_shift", 1); // matters to flow sigmas only
    config.refuse("use_dynamic_shifting", false);
    config.refuse("time_shift_type", "exponential");
    counter = new StepCounter(config);
    history = new float[solverOrder][];
  }

  void begin(double[] runTimesteps, float[] runSigmas) {
    begin(runTimesteps);
    sigmas = runSigmas;
    counter.reset();
    Arrays.fill(history, null);
    taken = 0;
  }

  /**
   * A point of the trajectory: the sample is {@code alpha * x0 + sigma * noise}.
   *
   * @param lambda logarithm of alpha / sigma; infinite where sigma is 0
   */
  record Level(float alpha, float sigma, float lambda) {}

  /** The point at an index of the run's sigmas. */
  final Level level(int index) {
    float s = sigmas[index];
    float alpha = 1 / (float) Math.sqrt(s * s + 1);
    float sigma = s * alpha;
    return new Level(alpha, sigma, (float) Math.log(alpha) - (float) Math.log(sigma));
  }

  /** The clean sample that a prediction stands for, thresholded where configured. */
  final float[] toData(float[] output, float[] sample, Level at, StepOptions options) {
    float[] x0 = new float[sample.length];
    switch (prediction) {
      case EPSILON -> {
        for (int i = 0; i < x0.length; i++) {
          x0[i] = (sample[i] - at.sigma * output[i]) / at.alpha;
        }
      }
      case SAMPLE -> System.arraycopy(output, 0, x0, 0, x0.length);
      case V_PREDICTION -> {
        for (int i = 0; i < x0.length; i++) {
          x0[i] = at.alpha * sample[i] - at.sigma * output[i];
        }
      }
    }
    return thresholding.apply(x0, options);
  }

  /** The noise that a prediction stands for. */
  final float[] toNoise(float[] output, float[] sample, Level at) {
    float[] eps = new float[sample.length];
    switch (prediction) {
      case EPSILON -> System.arraycopy(output, 0, eps, 0, eps.length);
      case SAMPLE -> {
        for (int i = 0; i < eps.length; i++) {
          eps[i] = (sample[i] - at.alpha * output[i]) / at.sigma;
        }
      }
      case V_PREDICTION -> {
        for (int i = 0; i < eps.length; i++) {
          eps[i] = at.alpha * output[i] + at.sigma * sample[i];
        }
      }
    }
    return eps;
  }

  final void remember(float[] converted) {
    System.arraycopy(history, 0, history, 1, history.length - 1);
    history[0] = converted;
  }

  /** The converted prediction of {@code back} steps ago. */
  final float[] past(int back) {
    float[] p = history[back];
    if (p == null) {
      throw new IllegalStateException(config.className() + ": no prediction " + back + " ago");
    }
    return p;
  }

  /** Steps taken in this run before the one at hand, up to the solver's order. */
  final int taken() {
    return taken;
  }

  final void advance() {
    taken = Math.min(taken + 1, solverOrder);
    counter.advance();
  }

  @Override
  public final float[] sigmas() {
    return sigmas.clone();
  }

  @Override
  public final float initNoiseSigma() {
    return 1;
  }

  @Override
  public final float[] scaleModelInput(float[] sample, double t) {
    return sample;
  }

  @Override
  public final float[] addNoise(float[] original, float[] noise, double... timesteps) {
    int each = NoiseSchedule.imageLength(config, original, noise, timesteps);
    float[] out = new float[original.length];
    for (int k = 0; k < timesteps.length; k++) {
      Level at = level(counter.forNoise(timesteps[k], run()));
      for (int i = k * each; i < (k + 1) * each; i++) {
        out[i] = at.alpha * original[i] + at.sigma * noise[i];
      }
    }
    return out;
  }

  @Override
  public final void setBeginIndex(int index) {
    counter.begin(index);
  }
}
