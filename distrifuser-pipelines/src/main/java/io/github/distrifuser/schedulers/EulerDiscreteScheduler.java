package io.github.distrifuser.schedulers;

import java.util.EnumSet;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Euler's method along the noise level, after Karras and others. Upstream: {@code
 * EulerDiscreteScheduler}.
 */
public final class EulerDiscreteScheduler extends SigmaScheduler {
  /** In place of zero under rescaled betas, so that the first level is finite. */
  static final float NEARLY_ZERO = 0x1p-24f;

  private final PredictionType prediction;
  private final InterpolationType interpolation;
  private final SigmaSpacing placing;
  private final Sigmas.Range range;
  private final boolean continuous;
  private final FinalSigmasType finalSigmas;

  /**
   * @param given content of a {@code scheduler_config.json}
   */
  public EulerDiscreteScheduler(Map<String, ? extends @Nullable Object> given) {
    this(new SchedulerConfig("EulerDiscreteScheduler", given));
  }

  private EulerDiscreteScheduler(SchedulerConfig config) {
    super(config, NoiseSchedule.of(config, NoiseSchedule.COMMON).rescaledIfConfigured(NEARLY_ZERO));
    prediction =
        config.choice(
            "prediction_type",
            PredictionType.EPSILON,
            EnumSet.allOf(PredictionType.class),
            Map.of("original_sample", PredictionType.SAMPLE));
    interpolation =
        config.choice(
            "interpolation_type", InterpolationType.LINEAR, EnumSet.allOf(InterpolationType.class));
    placing =
        SigmaSpacing.of(config, SigmaSpacing.KARRAS, SigmaSpacing.EXPONENTIAL, SigmaSpacing.BETA);
    range = Sigmas.Range.of(config);
    TimestepType type =
        config.choice("timestep_type", TimestepType.DISCRETE, EnumSet.allOf(TimestepType.class));
    // Upstream looks at timestep_type under v-prediction only.
    continuous = type == TimestepType.CONTINUOUS && prediction == PredictionType.V_PREDICTION;
    finalSigmas =
        config.choice(
            "final_sigmas_type", FinalSigmasType.ZERO, EnumSet.allOf(FinalSigmasType.class));
  }

  @Override
  public void setTimesteps(int numInferenceSteps) {
    runOver(spaced(checkSteps(numInferenceSteps)));
  }

  @Override
  public void useTimesteps(double... timesteps) {
    if (placing != SigmaSpacing.TIMESTEPS || continuous) {
      throw config.error(
          "timesteps of the caller's own exclude "
              + (continuous ? "timestep_type continuous" : placing.toString()));
    }
    if (timesteps.length == 0) {
      throw config.error("timesteps: expected at least one");
    }
    runOver(Grid.toFloat32(timesteps.clone()));
  }

  private void runOver(double[] spaced) {
    float[] train = schedule.sigmas();
    Sigmas rules = new Sigmas(train);
    int n = spaced.length;
    double[] timesteps = spaced;
    double[] levels =
        interpolation == InterpolationType.LINEAR
            ? Grid.interpolate(spaced, train)
            : logLinear(train, n);
    if (placing != SigmaSpacing.TIMESTEPS) {
      double max = range.maxOr(levels[0]);
      double min = range.minOr(levels[levels.length - 1]);
      levels = rules.place(placing, max, min, n);
      timesteps = Grid.toFloat32(rules.toTimesteps(levels));
    }
    float last = finalSigmas == FinalSigmasType.SIGMA_MIN ? train[0] : 0;
    start(timesteps, Sigmas.withFinal(levels, last));
  }

  /** One level more than there are steps, as upstream has it. */
  private static double[] logLinear(float[] train, int n) {
    float[] logs =
        Grid.torchLinspace(
            (float) Math.log(train[train.length - 1]), (float) Math.log(train[0]), n + 1);
    double[] out = new double[n + 1];
    for (int i = 0; i <= n; i++) {
      out[i] = (float) Math.exp(logs[i]);
    }
    return out;
  }

  @Override
  public void useSigmas(double... sigmas) {
    if (sigmas.length < 2) {
      throw config.error("sigmas: expected at least two, found " + sigmas.length);
    }
    float[] levels = Grid.toFloats(sigmas);
    Sigmas rules = new Sigmas(schedule.sigmas());
    double[] timesteps = new double[levels.length - 1];
    for (int i = 0; i < timesteps.length; i++) {
      timesteps[i] = (float) rules.toTimestep(levels[i]);
    }
    start(timesteps, levels);
  }

  private void start(double[] timesteps, float[] levels) {
    double[] times = timesteps;
    if (continuous) {
      times = new double[timesteps.length];
      for (int i = 0; i < times.length; i++) {
        times[i] = 0.25f * (float) Math.log(levels[i]);
      }
    }
    begin(times, levels);
  }

  @Override
  public StepResult step(float[] modelOutput, double t, float[] sample, StepOptions options) {
    checkLengths(modelOutput, sample);
    int i = counter.at(t, run());
    float sigma = sigma(i);

    // 1. Churn: up to a higher noise level first.
    StepOptions.Churn churn = options.churn();
    double gamma =
        churn.tMin() <= sigma && sigma <= churn.tMax()
            ? Math.min(churn.amount() / (sigmas().length - 1), Math.sqrt(2) - 1)
            : 0;
    float hat = sigma * (float) (gamma + 1);
    float[] from = gamma > 0 ? churned(sample, sigma, hat, options) : sample;

    // 2. The clean sample.
    float level = prediction == PredictionType.EPSILON ? hat : sigma;
    float[] x0 = Predictions.originalFromSigma(prediction, modelOutput, from, level);

    // 3. Along the slope to the next level.
    float[] slope = derivative(from, x0, hat);
    float dt = sigma(i + 1) - hat;
    float[] prev = new float[sample.length];
    for (int k = 0; k < prev.length; k++) {
      prev[k] = from[k] + slope[k] * dt;
    }
    counter.advance();
    return new StepResult(prev, x0);
  }

  private float[] churned(float[] sample, float sigma, float hat, StepOptions options) {
    float[] noise = options.noise(sample, config.className());
    float factor = (float) options.churn().noise();
    float up = (float) Math.sqrt(hat * hat - sigma * sigma);
    float[] out = new float[sample.length];
    for (int k = 0; k < out.length; k++) {
      out[k] = sample[k] + noise[k] * factor * up;
    }
    return out;
  }
}
