package io.github.distrifuser.schedulers;

import java.util.EnumSet;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Euler's method to a lower noise level than the next one, made up with fresh noise in every step.
 * Upstream: {@code EulerAncestralDiscreteScheduler}.
 */
public final class EulerAncestralDiscreteScheduler extends SigmaScheduler {
  private final PredictionType prediction;

  /**
   * @param given content of a {@code scheduler_config.json}
   */
  public EulerAncestralDiscreteScheduler(Map<String, ? extends @Nullable Object> given) {
    this(new SchedulerConfig("EulerAncestralDiscreteScheduler", given));
  }

  private EulerAncestralDiscreteScheduler(SchedulerConfig config) {
    super(
        config,
        NoiseSchedule.of(config, NoiseSchedule.COMMON)
            .rescaledIfConfigured(EulerDiscreteScheduler.NEARLY_ZERO));
    prediction =
        config.choice(
            "prediction_type",
            PredictionType.EPSILON,
            EnumSet.of(PredictionType.EPSILON, PredictionType.V_PREDICTION));
  }

  @Override
  public void setTimesteps(int numInferenceSteps) {
    double[] timesteps = spaced(checkSteps(numInferenceSteps));
    begin(timesteps, Sigmas.withFinal(Grid.interpolate(timesteps, schedule.sigmas()), 0));
  }

  @Override
  public StepResult step(float[] modelOutput, double t, float[] sample, StepOptions options) {
    checkLengths(modelOutput, sample);
    int i = counter.at(t, run());
    float from = sigma(i);
    float to = sigma(i + 1);
    float[] x0 = Predictions.originalFromSigma(prediction, modelOutput, sample, from);

    // The next level's variance, split into fresh noise and what is left of the old.
    float up = (float) Math.sqrt(to * to * (from * from - to * to) / (from * from));
    float down = (float) Math.sqrt(to * to - up * up);
    float[] slope = derivative(sample, x0, from);
    float dt = down - from;
    float[] noise = options.noise(sample, config.className());
    float[] prev = new float[sample.length];
    for (int k = 0; k < prev.length; k++) {
      prev[k] = sample[k] + slope[k] * dt + noise[k] * up;
    }
    counter.advance();
    return new StepResult(prev, x0);
  }
}
