package io.github.distrifuser.schedulers;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.EnumSet;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A linear multistep method along the noise level: the last four slopes, as a polynomial, are
 * integrated over the step. Upstream: {@code LMSDiscreteScheduler}; where a run begins in the
 * middle, the polynomial is of the order that the slopes at hand allow.
 */
public final class LMSDiscreteScheduler extends SigmaScheduler {
  private static final int ORDER = 4;

  private final PredictionType prediction;
  private final SigmaSpacing placing;
  private final Sigmas.Range range;
  private final Deque<float[]> slopes = new ArrayDeque<>(); // newest first

  /**
   * @param given content of a {@code scheduler_config.json}
   */
  public LMSDiscreteScheduler(Map<String, ? extends @Nullable Object> given) {
    this(new SchedulerConfig("LMSDiscreteScheduler", given));
  }

  private LMSDiscreteScheduler(SchedulerConfig config) {
    super(config, NoiseSchedule.of(config, NoiseSchedule.COMMON));
    placing =
        SigmaSpacing.of(config, SigmaSpacing.KARRAS, SigmaSpacing.EXPONENTIAL, SigmaSpacing.BETA);
    // Upstream's Karras levels always span the run's own.
    range = placing == SigmaSpacing.KARRAS ? new Sigmas.Range(null, null) : Sigmas.Range.of(config);
    prediction =
        config.choice(
            "prediction_type", PredictionType.EPSILON, EnumSet.allOf(PredictionType.class));
  }

  @Override
  public void setTimesteps(int numInferenceSteps) {
    int n = checkSteps(numInferenceSteps);
    float[] train = schedule.sigmas();
    double[] timesteps = spaced(n);
    double[] levels = Grid.interpolate(timesteps, train);
    if (placing != SigmaSpacing.TIMESTEPS) {
      Sigmas rules = new Sigmas(train);
      levels =
          rules.place(placing, range.maxOr(levels[0]), range.minOr(levels[levels.length - 1]), n);
      timesteps = Grid.toFloat32(rules.toTimesteps(levels));
    }
    slopes.clear();
    begin(timesteps, Sigmas.withFinal(levels, 0));
  }

  @Override
  public StepResult step(float[] modelOutput, double t, float[] sample, StepOptions options) {
    checkLengths(modelOutput, sample);
    int i = counter.at(t, run());
    float sigma = sigma(i);
    float[] x0 = Predictions.originalFromSigma(prediction, modelOutput, sample, sigma);
    if (slopes.size() == ORDER) {
      slopes.removeLast();
    }
    slopes.addFirst(derivative(sample, x0, sigma));

    float[] sum = new float[sample.length];
    int j = 0;
    for (float[] slope : slopes) {
      float weight = (float) weight(slopes.size(), i, j++);
      for (int k = 0; k < sum.length; k++) {
        sum[k] += weight * slope[k];
      }
    }
    float[] prev = new float[sample.length];
    for (int k = 0; k < prev.length; k++) {
      prev[k] = sample[k] + sum[k];
    }
    counter.advance();
    return new StepResult(prev, x0);
  }

  /**
   * Integral over step {@code i} of the Lagrange polynomial that is 1 at the level {@code j} steps
   * ago and 0 at the other ones. Gauss's rule with two points is exact up to the third degree.
   */
  private double weight(int order, int i, int j) {
    double from = sigma(i);
    double to = sigma(i + 1);
    double middle = (from + to) / 2;
    double reach = (to - from) / 2 / Math.sqrt(3);
    return (to - from)
        / 2
        * (lagrange(order, i, j, middle - reach) + lagrange(order, i, j, middle + reach));
  }

  private double lagrange(int order, int i, int j, double at) {
    double product = 1;
    for (int k = 0; k < order; k++) {
      if (k != j) {
        double other = sigma(i - k);
        product *= (at - other) / (sigma(i - j) - other);
      }
    }
    return product;
  }
}
