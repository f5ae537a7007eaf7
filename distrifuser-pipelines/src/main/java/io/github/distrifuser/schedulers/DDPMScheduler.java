package io.github.distrifuser.schedulers;

import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Denoising diffusion probabilistic models: samples the posterior of each step. Upstream: {@code
 * DDPMScheduler}, without learned variances.
 */
public final class DDPMScheduler extends AbstractScheduler {
  private static final float LEAST_VARIANCE = 1e-20f;

  private final VarianceType variance;
  private final PredictionType prediction;
  private final Thresholding thresholding;
  private final TimestepSpacing spacing;
  private final int offset;

  /**
   * @param given content of a {@code scheduler_config.json}
   */
  public DDPMScheduler(Map<String, ? extends @Nullable Object> given) {
    this(new SchedulerConfig("DDPMScheduler", withoutNullVariance(given)));
  }

  /** DPM-Solver writes null where it learns no variance: DDPM's default. */
  private static Map<String, @Nullable Object> withoutNullVariance(
      Map<String, ? extends @Nullable Object> given) {
    Map<String, @Nullable Object> copy = new HashMap<>(given);
    copy.remove("variance_type", null);
    return copy;
  }

  private DDPMScheduler(SchedulerConfig config) {
    super(
        config,
        NoiseSchedule.of(
                config,
                EnumSet.of(
                    BetaSchedule.LINEAR,
                    BetaSchedule.SCALED_LINEAR,
                    BetaSchedule.SQUAREDCOS_CAP_V2,
                    BetaSchedule.LAPLACE,
                    BetaSchedule.SIGMOID))
            .rescaledIfConfigured(0));
    variance =
        config.choice("variance_type", VarianceType.FIXED_SMALL, EnumSet.allOf(VarianceType.class));
    prediction =
        config.choice(
            "prediction_type", PredictionType.EPSILON, EnumSet.allOf(PredictionType.class));
    thresholding = Thresholding.orClipping(config, true);
    spacing =
        config.choice(
            "timestep_spacing", TimestepSpacing.LEADING, EnumSet.allOf(TimestepSpacing.class));
    offset = config.integer("steps_offset", 0);
  }

  @Override
  public void setTimesteps(int numInferenceSteps) {
    int n = checkSteps(numInferenceSteps);
    begin(Grid.rint(Grid.timesteps(spacing, schedule.trainTimesteps(), n, offset)));
  }

  @Override
  public void useTimesteps(double... timesteps) {
    begin(checkTimesteps(timesteps));
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
    // 1. Shares of signal, and the variance that this step takes away.
    float alpha = schedule.alpha(t);
    float before = alphaAfter(t);
    float stepAlpha = alpha / before;
    float stepBeta = 1f - stepAlpha;

    // 2. The clean sample and the posterior's mean.
    float[] x0 = Predictions.originalFromAlpha(prediction, modelOutput, sample, alpha);
    x0 = thresholding.apply(x0, options);
    float ofX0 = (float) Math.sqrt(before) * stepBeta / (1f - alpha);
    float ofSample = (float) Math.sqrt(stepAlpha) * (1f - before) / (1f - alpha);
    float[] prev = new float[sample.length];
    for (int i = 0; i < prev.length; i++) {
      prev[i] = ofX0 * x0[i] + ofSample * sample[i];
    }

    // 3. Noise, except where nothing comes before.
    if (t > 0) {
      float posterior = (1f - before) / (1f - alpha) * stepBeta;
      float std = deviation(Math.max(posterior, LEAST_VARIANCE), stepBeta);
      float[] noise = options.noise(sample, config.className());
      for (int i = 0; i < prev.length; i++) {
        prev[i] += std * noise[i];
      }
    }
    return new StepResult(prev, x0);
  }

  private float deviation(float posterior, float stepBeta) {
    return switch (variance) {
      case FIXED_SMALL -> (float) Math.sqrt(posterior);
      case FIXED_SMALL_LOG -> (float) Math.exp(0.5f * (float) Math.log(posterior));
      case FIXED_LARGE -> (float) Math.sqrt(stepBeta);
    };
  }

  /** Share of signal at the run's next timestep; 1 after the last. */
  private float alphaAfter(double t) {
    double[] timesteps = run();
    for (int i = 0; i < timesteps.length; i++) {
      if (timesteps[i] == t) {
        return i == timesteps.length - 1 ? 1 : schedule.alpha(timesteps[i + 1]);
      }
    }
    throw config.error("timestep " + t + " is none of this run's " + timesteps.length);
  }

  @Override
  public float[] addNoise(float[] original, float[] noise, double... timesteps) {
    return schedule.addNoise(original, noise, timesteps);
  }
}
