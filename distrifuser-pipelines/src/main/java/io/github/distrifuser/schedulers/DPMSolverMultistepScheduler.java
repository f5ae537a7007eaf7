package io.github.distrifuser.schedulers;

import io.github.distrifuser.tensor.DType;
import java.util.EnumSet;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * DPM-Solver and DPM-Solver++ of order 1 to 3, deterministic or stochastic. Upstream: {@code
 * DPMSolverMultistepScheduler}, without its flow-matching options and learned variances.
 */
public final class DPMSolverMultistepScheduler extends MultistepScheduler {
  private static final int FEW_STEPS = 15; // below, the last steps may be of lower order

  private final AlgorithmType algorithm;
  private final SolverType solver;
  private final boolean lowerOrderFinal;
  private final boolean eulerAtFinal;
  private final SigmaSpacing placing;
  private final double lambdaMinClipped;
  private final boolean wholeTimesteps;

  /**
   * @param given content of a {@code scheduler_config.json}
   */
  public DPMSolverMultistepScheduler(Map<String, ? extends @Nullable Object> given) {
    this(new SchedulerConfig("DPMSolverMultistepScheduler", given));
  }

  private DPMSolverMultistepScheduler(SchedulerConfig config) {
    super(
        config,
        NoiseSchedule.of(config, NoiseSchedule.COMMON)
            .rescaledIfConfigured(EulerDiscreteScheduler.NEARLY_ZERO));
    algorithm =
        config.choice(
            "algorithm_type",
            AlgorithmType.DPMSOLVER_PP,
            EnumSet.allOf(AlgorithmType.class),
            Map.of("deis", AlgorithmType.DPMSOLVER_PP));
    solver =
        config.choice(
            "solver_type",
            SolverType.MIDPOINT,
            EnumSet.of(SolverType.MIDPOINT, SolverType.HEUN),
            Map.of(
                "logrho", SolverType.MIDPOINT,
                "bh1", SolverType.MIDPOINT,
                "bh2", SolverType.MIDPOINT));
    lowerOrderFinal = config.flag("lower_order_final", true);
    eulerAtFinal = config.flag("euler_at_final", false);
    placing =
        SigmaSpacing.of(
            config,
            SigmaSpacing.KARRAS,
            SigmaSpacing.LU,
            SigmaSpacing.EXPONENTIAL,
            SigmaSpacing.BETA);
    lambdaMinClipped = config.number("lambda_min_clipped", Double.NEGATIVE_INFINITY);
    Object variance = config.text("variance_type", null);
    if (variance != null && variance.toString().startsWith("learned")) {
      throw config.error("variance_type " + variance + " is not implemented");
    }
    wholeTimesteps = !"squaredcos_cap_v2".equals(config.values().get("beta_schedule"));
    if (!algorithm.predictsData() && finalSigmas == FinalSigmasType.ZERO) {
      throw config.error(
          "final_sigmas_type zero does not go with algorithm_type "
              + algorithm
              + ", choose sigma_min");
    }
    if (algorithm == AlgorithmType.SDE_DPMSOLVER && solverOrder == 3) {
      throw config.error("solver_order 3 does not go with algorithm_type " + algorithm);
    }
  }

  @Override
  public void setTimesteps(int numInferenceSteps) {
    int n = checkSteps(numInferenceSteps);
    int train = schedule.trainTimesteps();
    runOver(Grid.multistepTimesteps(spacing, train, lastTimestep(), n, offset), n);
  }

  @Override
  public void useTimesteps(double... timesteps) {
    if (placing != SigmaSpacing.TIMESTEPS) {
      throw config.error("timesteps of the caller's own exclude " + placing);
    }
    runOver(checkTimesteps(timesteps), timesteps.length);
  }

  /** Number of training steps whose half log-SNR is not clipped. */
  private int lastTimestep() {
    float[] lambdas = schedule.lambdas();
    int n = lambdas.length;
    while (n > 0 && lambdas[n - 1] < lambdaMinClipped) {
      n--;
    }
    return n;
  }

  private void runOver(double[] spaced, int n) {
    float[] train = schedule.sigmas();
    double[] timesteps = spaced;
    double[] levels;
    if (placing == SigmaSpacing.TIMESTEPS) {
      levels = Grid.interpolate(spaced, train);
    } else {
      Sigmas rules = new Sigmas(train);
      levels = rules.place(placing, range.maxOr(train[train.length - 1]), range.minOr(train[0]), n);
      timesteps = rules.toTimesteps(levels);
      boolean rounds = placing == SigmaSpacing.KARRAS || placing == SigmaSpacing.LU;
      for (int i = 0; i < n; i++) {
        double t = rounds && wholeTimesteps ? Math.rint(timesteps[i]) : timesteps[i];
        timesteps[i] = (long) t;
      }
    }
    float last = finalSigmas == FinalSigmasType.SIGMA_MIN ? train[0] : 0;
    begin(timesteps, Sigmas.withFinal(levels, last));
  }

  @Override
  public StepResult step(float[] modelOutput, double t, float[] sample, StepOptions options) {
    checkLengths(modelOutput, sample);
    int count = run().length;
    int i = counter.at(t, run());
    Level from = level(i);

    // 1. What the algorithm integrates: the data or the noise.
    remember(converted(modelOutput, sample, from, options));

    // 2. The order: low at the beginning, and at the end where that is steadier.
    boolean few = lowerOrderFinal && count < FEW_STEPS;
    int order = Math.min(solverOrder, taken() + 1);
    if (i == count - 1 && (eulerAtFinal || few || finalSigmas == FinalSigmasType.ZERO)) {
      order = 1;
    } else if (i == count - 2 && few) {
      order = Math.min(order, 2);
    }

    // 3. The update: a weighted sum of the sample, the predictions' differences and noise.
    Level to = level(i + 1);
    Weights w = weights(from, to);
    float[] noise =
        algorithm.stochastic() ? options.noise(sample, DType.F32, config.className()) : null;
    float[] prev =
        switch (order) {
          case 1 -> firstOrder(sample, w);
          case 2 -> secondOrder(sample, w, i, from, to);
          default -> thirdOrder(sample, w, i, from, to);
        };
    if (noise != null) {
      for (int k = 0; k < prev.length; k++) {
        prev[k] += w.noise * noise[k];
      }
    }
    advance();
    return new StepResult(prev, null);
  }

  private float[] converted(float[] output, float[] sample, Level at, StepOptions options) {
    if (algorithm.predictsData()) {
      return toData(output, sample, at, options);
    }
    float[] eps = toNoise(output, sample, at);
    if (!thresholding.active()) {
      return eps;
    }
    float[] x0 = new float[sample.length];
    for (int k = 0; k < x0.length; k++) {
      x0[k] = (sample[k] - at.sigma() * eps[k]) / at.alpha();
    }
    x0 = thresholding.apply(x0, options);
    for (int k = 0; k < x0.length; k++) {
      eps[k] = (sample[k] - at.alpha() * x0[k]) / at.sigma();
    }
    return eps;
  }

  /**
   * Weights of an update.
   *
   * @param sample of the sample
   * @param d0 of the newest prediction
   * @param midpoint of the first difference in the midpoint rule
   * @param d1 of the first difference in Heun's rule and in third order
   * @param d2 of the second difference
   * @param noise of fresh noise
   */
  private record Weights(float sample, float d0, float midpoint, float d1, float d2, float noise) {}

  private Weights weights(Level from, Level to) {
    float h = to.lambda() - from.lambda();
    float alpha = to.alpha();
    float sigma = to.sigma();
    return switch (algorithm) {
      case DPMSOLVER_PP -> {
        float e = (float) Math.exp(-h) - 1;
        float d0 = -(alpha * e);
        float d1 = alpha * (e / h + 1);
        float d2 = -(alpha * ((e + h) / (h * h) - 0.5f));
        yield new Weights(sigma / from.sigma(), d0, 0.5f * d0, d1, d2, 0);
      }
      case DPMSOLVER -> {
        float e = (float) Math.exp(h) - 1;
        float d0 = -(sigma * e);
        float d1 = -(sigma * (e / h - 1));
        float d2 = -(sigma * ((e - h) / (h * h) - 0.5f));
        yield new Weights(alpha / from.alpha(), d0, 0.5f * d0, d1, d2, 0);
      }
      case SDE_DPMSOLVER_PP -> {
        float e = 1 - (float) Math.exp(-2 * h);
        float keep = sigma / from.sigma() * (float) Math.exp(-h);
        float d0 = alpha * e;
        float d1 = alpha * (e / (-2 * h) + 1);
        float d2 = alpha * ((e - 2 * h) / (2 * h * (2 * h)) - 0.5f);
        yield new Weights(keep, d0, 0.5f * d0, d1, d2, sigma * (float) Math.sqrt(e));
      }
      case SDE_DPMSOLVER -> {
        float e = (float) Math.exp(h) - 1;
        float noise = sigma * (float) Math.sqrt((float) Math.exp(2 * h) - 1);
        float d1 = -2 * (sigma * (e / h - 1));
        yield new Weights(
            alpha / from.alpha(), -2 * (sigma * e), -(sigma * e), d1, Float.NaN, noise);
      }
    };
  }

  private float[] firstOrder(float[] sample, Weights w) {
    float[] m0 = past(0);
    float[] out = new float[sample.length];
    for (int k = 0; k < out.length; k++) {
      out[k] = w.sample * sample[k] + w.d0 * m0[k];
    }
    return out;
  }

  private float[] secondOrder(float[] sample, Weights w, int i, Level from, Level to) {
    float[] m0 = past(0);
    float[] m1 = past(1);
    float r0 = (from.lambda() - level(i - 1).lambda()) / (to.lambda() - from.lambda());
    float inverse = 1 / r0;
    float d1Weight = solver == SolverType.MIDPOINT ? w.midpoint : w.d1;
    float[] out = new float[sample.length];
    for (int k = 0; k < out.length; k++) {
      float d1 = inverse * (m0[k] - m1[k]);
      out[k] = w.sample * sample[k] + w.d0 * m0[k] + d1Weight * d1;
    }
    return out;
  }

  private float[] thirdOrder(float[] sample, Weights w, int i, Level from, Level to) {
    float[] m0 = past(0);
    float[] m1 = past(1);
    float[] m2 = past(2);
    float h = to.lambda() - from.lambda();
    float before = level(i - 1).lambda();
    float r0 = (from.lambda() - before) / h;
    float r1 = (before - level(i - 2).lambda()) / h;
    float share = r0 / (r0 + r1);
    float inverse = 1 / (r0 + r1);
    float[] out = new float[sample.length];
    for (int k = 0; k < out.length; k++) {
      float newer = 1 / r0 * (m0[k] - m1[k]);
      float older = 1 / r1 * (m1[k] - m2[k]);
      float d1 = newer + share * (newer - older);
      float d2 = inverse * (newer - older);
      out[k] = w.sample * sample[k] + w.d0 * m0[k] + w.d1 * d1 + w.d2 * d2;
    }
    return out;
  }
}
