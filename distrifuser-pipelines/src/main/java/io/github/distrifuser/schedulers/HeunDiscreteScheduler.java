package io.github.distrifuser.schedulers;

import java.util.EnumSet;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Heun's second-order method along the noise level: every step but the last calls the model twice,
 * so that {@code n} steps have {@code 2n - 1} timesteps. Upstream: {@code HeunDiscreteScheduler}.
 */
public final class HeunDiscreteScheduler extends SigmaScheduler {
  private final PredictionType prediction;
  private final SigmaSpacing placing;
  private final Sigmas.Range range;
  private final Thresholding clipping;
  private @Nullable Half half;

  /**
   * The first half of a step.
   *
   * @param sample where it began
   * @param slope there
   * @param dt change of the noise level over the whole step
   */
  private record Half(float[] sample, float[] slope, float dt) {}

  /**
   * @param given content of a {@code scheduler_config.json}
   */
  public HeunDiscreteScheduler(Map<String, ? extends @Nullable Object> given) {
    this(new SchedulerConfig("HeunDiscreteScheduler", given));
  }

  private HeunDiscreteScheduler(SchedulerConfig config) {
    super(
        config,
        NoiseSchedule.of(
            config,
            EnumSet.of(
                BetaSchedule.LINEAR,
                BetaSchedule.SCALED_LINEAR,
                BetaSchedule.SQUAREDCOS_CAP_V2,
                BetaSchedule.EXP),
            0.00085,
            0.012,
            BetaSchedule.LINEAR));
    prediction =
        config.choice(
            "prediction_type", PredictionType.EPSILON, EnumSet.allOf(PredictionType.class));
    placing =
        SigmaSpacing.of(config, SigmaSpacing.KARRAS, SigmaSpacing.EXPONENTIAL, SigmaSpacing.BETA);
    range = Sigmas.Range.of(config);
    clipping = Thresholding.clipping(config, false);
  }

  @Override
  public int order() {
    return 2;
  }

  @Override
  public void setTimesteps(int numInferenceSteps) {
    runOver(spaced(checkSteps(numInferenceSteps)));
  }

  @Override
  public void useTimesteps(double... timesteps) {
    if (placing != SigmaSpacing.TIMESTEPS) {
      throw config.error("timesteps of the caller's own exclude " + placing);
    }
    if (timesteps.length == 0) {
      throw config.error("timesteps: expected at least one");
    }
    runOver(Grid.toFloat32(timesteps.clone()));
  }

  private void runOver(double[] spaced) {
    int n = spaced.length;
    float[] train = schedule.sigmas();
    double[] timesteps = spaced;
    double[] levels = Grid.interpolate(spaced, train);
    if (placing != SigmaSpacing.TIMESTEPS) {
      Sigmas rules = new Sigmas(train);
      levels = rules.place(placing, range.maxOr(levels[0]), range.minOr(levels[n - 1]), n);
      timesteps = Grid.toFloat32(rules.toTimesteps(levels));
    }
    // All but the first come twice: as the end of one step and the beginning of the next.
    double[] twiceTimesteps = new double[2 * n - 1];
    float[] twiceLevels = new float[2 * n]; // the last one is 0
    for (int i = 0; i < twiceTimesteps.length; i++) {
      twiceTimesteps[i] = timesteps[(i + 1) / 2];
      twiceLevels[i] = (float) levels[(i + 1) / 2];
    }
    half = null;
    begin(twiceTimesteps, twiceLevels);
  }

  @Override
  public StepResult step(float[] modelOutput, double t, float[] sample, StepOptions options) {
    checkLengths(modelOutput, sample);
    int i = counter.at(t, run());
    float sigma = sigma(i);
    float[] x0 = Predictions.originalFromSigma(prediction, modelOutput, sample, sigma);
    x0 = clipping.apply(x0, options);
    float[] slope = derivative(sample, x0, sigma);
    Half first = half;
    float[] prev;
    if (first == null) {
      float dt = sigma(i + 1) - sigma;
      half = new Half(sample.clone(), slope, dt);
      prev = along(sample, slope, dt);
    } else {
      for (int k = 0; k < slope.length; k++) {
        slope[k] = (first.slope[k] + slope[k]) / 2;
      }
      half = null;
      prev = along(first.sample, slope, first.dt);
    }
    counter.advance();
    return new StepResult(prev, x0);
  }

  private static float[] along(float[] sample, float[] slope, float dt) {
    float[] out = new float[sample.length];
    for (int k = 0; k < out.length; k++) {
      out[k] = sample[k] + slope[k] * dt;
    }
    return out;
  }
}
