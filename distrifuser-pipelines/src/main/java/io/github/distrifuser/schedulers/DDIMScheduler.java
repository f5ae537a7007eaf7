package io.github.distrifuser.schedulers;

import java.util.EnumSet;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Denoising diffusion implicit models: each step predicts the clean sample and walks back towards
 * the noise, with fresh noise in proportion to {@code eta}. Upstream: {@code DDIMScheduler}.
 */
public final class DDIMScheduler extends AbstractScheduler {
  private final boolean alphaOne;
  private final int offset;
  private final PredictionType prediction;
  private final Thresholding thresholding;
  private final TimestepSpacing spacing;
  private int stride; // training steps between two of the run

  /**
   * @param given content of a {@code scheduler_config.json}
   */
  public DDIMScheduler(Map<String, ? extends @Nullable Object> given) {
    this(new SchedulerConfig("DDIMScheduler", given));
  }

  private DDIMScheduler(SchedulerConfig config) {
    super(config, NoiseSchedule.of(config, NoiseSchedule.COMMON).rescaledIfConfigured(0));
    alphaOne = config.flag("set_alpha_to_one", true);
    offset = config.integer("steps_offset", 0);
    prediction =
        config.choice(
            "prediction_type", PredictionType.EPSILON, EnumSet.allOf(PredictionType.class));
    thresholding = Thresholding.orClipping(config, true);
    spacing =
        config.choice(
            "timestep_spacing", TimestepSpacing.LEADING, EnumSet.allOf(TimestepSpacing.class));
  }

  @Override
  public void setTimesteps(int numInferenceSteps) {
    int n = checkSteps(numInferenceSteps);
    int train = schedule.trainTimesteps();
    begin(Grid.rint(Grid.timesteps(spacing, train, n, offset)));
    stride = train / n;
  }

  @Override
  public float initNoiseSigma() {
    return 1;
  }

  @Override
  public float[] scaleModelInput(float[] sample, double t) {
    return sample;
  }

  @Override
  public StepResult step(float[] modelOutput, double t, float[] sample, StepOptions options) {
    checkLengths(modelOutput, sample);
    run();
    // 1. Shares of signal now and at the step before in training order.
    float alpha = schedule.alpha(t);
    float before = alphaBefore(t - stride);
    float signal = (float) Math.sqrt(alpha);
    float level = (float) Math.sqrt(1f - alpha);

    // 2. The clean sample, and the noise that goes with it.
    float[] x0 = Predictions.originalFromAlpha(prediction, modelOutput, sample, alpha);
    float[] eps = noise(modelOutput, sample, x0, signal, level);
    x0 = thresholding.apply(x0, options);
    if (options.useClippedModelOutput()) {
      eps = derivedNoise(sample, x0, signal, level);
    }

    // 3. The deterministic part.
    float variance = (1f - before) / (1f - alpha) * (1f - alpha / before);
    float std = (float) options.eta() * (float) Math.sqrt(variance);
    float direction = (float) Math.sqrt(1f - before - std * std);
    float keep = (float) Math.sqrt(before);
    float[] prev = new float[sample.length];
    for (int i = 0; i < prev.length; i++) {
      prev[i] = keep * x0[i] + direction * eps[i];
    }

    // 4. Fresh noise.
    if (options.eta() > 0) {
      float[] fresh = options.noise(sample, config.className());
      for (int i = 0; i < prev.length; i++) {
        prev[i] += std * fresh[i];
      }
    }
    return new StepResult(prev, x0);
  }

  private float alphaBefore(double t) {
    if (t >= 0) {
      return schedule.alpha(t);
    }
    return alphaOne ? 1 : schedule.alpha(0);
  }

  private float[] noise(float[] output, float[] sample, float[] x0, float signal, float level) {
    return switch (prediction) {
      case EPSILON -> output;
      case SAMPLE -> derivedNoise(sample, x0, signal, level);
      case V_PREDICTION -> {
        float[] eps = new float[sample.length];
        for (int i = 0; i < eps.length; i++) {
          eps[i] = signal * output[i] + level * sample[i];
        }
        yield eps;
      }
    };
  }

  private static float[] derivedNoise(float[] sample, float[] x0, float signal, float level) {
    float[] eps = new float[sample.length];
    for (int i = 0; i < eps.length; i++) {
      eps[i] = (sample[i] - signal * x0[i]) / level;
    }
    return eps;
  }

  @Override
  public float[] addNoise(float[] original, float[] noise, double... timesteps) {
    return schedule.addNoise(original, noise, timesteps);
  }
}
