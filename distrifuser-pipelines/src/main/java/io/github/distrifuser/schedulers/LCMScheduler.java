package io.github.distrifuser.schedulers;

import java.util.EnumSet;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Latent consistency models: each step predicts the clean sample and noises it anew to the next of
 * a few timesteps. Upstream: {@code LCMScheduler}.
 */
public final class LCMScheduler extends AbstractScheduler {
  private static final float SIGMA_DATA = 0.5f;

  private final int originalSteps;
  private final PredictionType prediction;
  private final Thresholding thresholding;
  private final float timestepScaling;
  private final StepCounter counter;

  /**
   * @param given content of a {@code scheduler_config.json}
   */
  public LCMScheduler(Map<String, ? extends @Nullable Object> given) {
    this(new SchedulerConfig("LCMScheduler", given));
  }

  private LCMScheduler(SchedulerConfig config) {
    super(
        config,
        NoiseSchedule.of(config, NoiseSchedule.COMMON, 0.00085, 0.012, BetaSchedule.SCALED_LINEAR)
            .rescaledIfConfigured(0));
    originalSteps = config.integer("original_inference_steps", 50);
    int train = schedule.trainTimesteps();
    if (originalSteps < 1 || originalSteps > train) {
      throw config.error(
          "original_inference_steps: expected 1 to " + train + ", found " + originalSteps);
    }
    prediction =
        config.choice(
            "prediction_type", PredictionType.EPSILON, EnumSet.allOf(PredictionType.class));
    thresholding = Thresholding.orClipping(config, false);
    timestepScaling = (float) config.number("timestep_scaling", 10);
    // Upstream has these too and puts them to no use in a run.
    config.flag("set_alpha_to_one", true);
    config.integer("steps_offset", 0);
    config.choice(
        "timestep_spacing", TimestepSpacing.LEADING, EnumSet.allOf(TimestepSpacing.class));
    counter = new StepCounter(config);
  }

  /**
   * Begins a run over evenly spread timesteps of the distillation schedule.
   *
   * @throws IllegalArgumentException if there are more than {@code original_inference_steps}
   */
  @Override
  public void setTimesteps(int numInferenceSteps) {
    int n = numInferenceSteps;
    if (n < 1 || n > originalSteps) {
      throw config.error(
          "number of inference steps: expected 1 to original_inference_steps "
              + originalSteps
              + ", found "
              + n);
    }
    int stride = schedule.trainTimesteps() / originalSteps;
    double step = (double) originalSteps / n;
    double[] timesteps = new double[n];
    for (int i = 0; i < n; i++) {
      int index = (int) Math.floor(i * step); // counted from the noisy end
      timesteps[i] = (originalSteps - index) * stride - 1;
    }
    counter.reset();
    begin(timesteps);
  }

  @Override
  public void useTimesteps(double... timesteps) {
    counter.reset();
    begin(checkTimesteps(timesteps));
  }

  @Override
  public void setBeginIndex(int index) {
    counter.begin(index);
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
    double[] timesteps = run();
    int i = counter.at(t, timesteps);

    // 1. The clean sample, blended with the input so that t = 0 changes nothing.
    float[] x0 = Predictions.originalFromAlpha(prediction, modelOutput, sample, schedule.alpha(t));
    x0 = thresholding.apply(x0, options);
    float scaled = (float) t * timestepScaling;
    float square = scaled * scaled + SIGMA_DATA * SIGMA_DATA;
    float skip = SIGMA_DATA * SIGMA_DATA / square;
    float out = scaled / (float) Math.sqrt(square);
    float[] denoised = new float[sample.length];
    for (int k = 0; k < denoised.length; k++) {
      denoised[k] = out * x0[k] + skip * sample[k];
    }

    // 2. Noise for the next timestep.
    float[] prev = denoised.clone();
    if (i < timesteps.length - 1) {
      float next = schedule.alpha(timesteps[i + 1]);
      float signal = (float) Math.sqrt(next);
      float level = (float) Math.sqrt(1f - next);
      float[] noise = options.noise(sample, config.className());
      for (int k = 0; k < prev.length; k++) {
        prev[k] = signal * denoised[k] + level * noise[k];
      }
    }
    counter.advance();
    return new StepResult(prev, denoised);
  }

  @Override
  public float[] addNoise(float[] original, float[] noise, double... timesteps) {
    return schedule.addNoise(original, noise, timesteps);
  }
}
