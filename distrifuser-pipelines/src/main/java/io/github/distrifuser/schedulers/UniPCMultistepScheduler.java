package io.github.distrifuser.schedulers;

import java.util.EnumSet;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The unified predictor-corrector of order 1 to 3: each prediction of the model also corrects the
 * sample it was made from. Upstream: {@code UniPCMultistepScheduler}, without its flow-matching
 * options and other predictors.
 */
public final class UniPCMultistepScheduler extends MultistepScheduler {
  private final boolean predictsData;
  private final SolverType solver;
  private final boolean lowerOrderFinal;
  private final Set<Integer> uncorrected = new HashSet<>();
  private final SigmaSpacing placing;
  private float @Nullable [] lastSample;
  private int lastOrder;

  /**
   * @param given content of a {@code scheduler_config.json}
   */
  public UniPCMultistepScheduler(Map<String, ? extends @Nullable Object> given) {
    this(new SchedulerConfig("UniPCMultistepScheduler", given));
  }

  private UniPCMultistepScheduler(SchedulerConfig config) {
    super(
        config,
        NoiseSchedule.of(config, NoiseSchedule.COMMON)
            .rescaledIfConfigured(EulerDiscreteScheduler.NEARLY_ZERO));
    predictsData = config.flag("predict_x0", true);
    solver =
        config.choice(
            "solver_type",
            SolverType.BH2,
            EnumSet.of(SolverType.BH1, SolverType.BH2),
            Map.of(
                "midpoint", SolverType.BH2,
                "heun", SolverType.BH2,
                "logrho", SolverType.BH2));
    lowerOrderFinal = config.flag("lower_order_final", true);
    double[] disabled = config.optionalNumbers("disable_corrector");
    if (disabled != null) {
      for (double d : disabled) {
        uncorrected.add((int) d);
      }
    }
    placing =
        SigmaSpacing.of(config, SigmaSpacing.KARRAS, SigmaSpacing.EXPONENTIAL, SigmaSpacing.BETA);
    config.refuse("solver_p", null);
    config.refuse("shift_terminal", null);
  }

  @Override
  public void setTimesteps(int numInferenceSteps) {
    int n = checkSteps(numInferenceSteps);
    float[] train = schedule.sigmas();
    double[] timesteps;
    double[] levels;
    float least; // level after the last step where that is not 0
    if (placing == SigmaSpacing.TIMESTEPS) {
      timesteps = Grid.multistepTimesteps(spacing, train.length, train.length, n, offset);
      levels = Grid.interpolate(timesteps, train);
      least = train[0];
    } else {
      Sigmas rules = new Sigmas(train);
      double max = range.maxOr(train[train.length - 1]);
      levels = rules.place(placing, max, range.minOr(train[0]), n);
      timesteps = rules.toTimesteps(levels);
      for (int i = 0; i < n; i++) {
        double t = timesteps[i];
        timesteps[i] = (long) (placing == SigmaSpacing.KARRAS ? Math.rint(t) : t);
      }
      least = (float) levels[n - 1];
    }
    float last = finalSigmas == FinalSigmasType.SIGMA_MIN ? least : 0;
    begin(timesteps, Sigmas.withFinal(levels, last));
    lastSample = null;
  }

  @Override
  public StepResult step(float[] modelOutput, double t, float[] sample, StepOptions options) {
    checkLengths(modelOutput, sample);
    int i = counter.at(t, run());
    Level here = level(i);

    // 1. The prediction, and with it a better version of the sample at hand.
    float[] converted =
        predictsData
            ? toData(modelOutput, sample, here, options)
            : toNoise(modelOutput, sample, here);
    float[] from = sample;
    float[] before = lastSample;
    if (i > 0 && before != null && !uncorrected.contains(i - 1)) {
      from = update(before, i - 1, lastOrder, converted);
    }

    // 2. The sample at the next timestep.
    remember(converted);
    int order = lowerOrderFinal ? Math.min(solverOrder, run().length - i) : solverOrder;
    order = Math.min(order, taken() + 1);
    lastOrder = order;
    lastSample = from.clone();
    float[] prev = update(from, i, order, null);
    advance();
    return new StepResult(prev, null);
  }

  /**
   * One step from index {@code i} to the next.
   *
   * @param sample at {@code i}
   * @param arrived prediction at the next index, which makes this the corrector; null for the
   *     predictor
   */
  private float[] update(float[] sample, int i, int order, float @Nullable [] arrived) {
    Level from = level(i);
    Level to = level(i + 1);
    float h = to.lambda() - from.lambda();
    float hh = predictsData ? -h : h;
    float phi = (float) Math.expm1(hh);
    float bh = solver == SolverType.BH1 ? hh : phi;
    float scale = predictsData ? to.alpha() : to.sigma();
    float keep = predictsData ? to.sigma() / from.sigma() : to.alpha() / from.alpha();

    // 1. The step of first order.
    float[] m0 = past(0);
    float[] out = new float[sample.length];
    float ofM0 = scale * phi;
    for (int k = 0; k < out.length; k++) {
      out[k] = keep * sample[k] - ofM0 * m0[k];
    }
    if (order == 1 && arrived == null) {
      return out;
    }

    // 2. Differences of earlier predictions, and of the one that arrived.
    float[] ratios = ratios(i, order, from, h);
    float[] weights = weights(ratios, order, hh, phi, bh, arrived != null);
    float[] rest = new float[sample.length];
    for (int j = 1; j < order; j++) {
      float[] m = past(j);
      for (int k = 0; k < rest.length; k++) {
        rest[k] += weights[j - 1] * ((m[k] - m0[k]) / ratios[j - 1]);
      }
    }
    if (arrived != null) {
      for (int k = 0; k < rest.length; k++) {
        rest[k] += weights[order - 1] * (arrived[k] - m0[k]);
      }
    }
    float ofRest = scale * bh;
    for (int k = 0; k < out.length; k++) {
      out[k] -= ofRest * rest[k];
    }
    return out;
  }

  /** Distances to earlier points in units of this step, and 1 for its end. */
  private float[] ratios(int i, int order, Level from, float h) {
    float[] r = new float[order];
    for (int j = 1; j < order; j++) {
      r[j - 1] = (level(i - j).lambda() - from.lambda()) / h;
    }
    r[order - 1] = 1;
    return r;
  }

  /** Weights of the differences: the solution of the order conditions. */
  private static float[] weights(
      float[] ratios, int order, float hh, float phi, float bh, boolean corrects) {
    if (order == 1 || order == 2 && !corrects) {
      return new float[] {0.5f};
    }
    float[][] powers = new float[order][order];
    float[] b = new float[order];
    float phiK = phi / hh - 1;
    int factorial = 1;
    for (int k = 0; k < order; k++) {
      for (int j = 0; j < order; j++) {
        powers[k][j] = k == 0 ? 1 : powers[k - 1][j] * ratios[j];
      }
      b[k] = phiK * factorial / bh;
      factorial *= k + 2;
      phiK = phiK / hh - (float) (1.0 / factorial);
    }
    return solve(powers, b, corrects ? order : order - 1);
  }

  /** Solves the leading {@code n} equations by elimination with row exchanges. */
  private static float[] solve(float[][] a, float[] b, int n) {
    for (int c = 0; c < n; c++) {
      int pivot = c;
      for (int r = c + 1; r < n; r++) {
        if (Math.abs(a[r][c]) > Math.abs(a[pivot][c])) {
          pivot = r;
        }
      }
      float[] row = a[c];
      a[c] = a[pivot];
      a[pivot] = row;
      float v = b[c];
      b[c] = b[pivot];
      b[pivot] = v;
      for (int r = c + 1; r < n; r++) {
        float factor = a[r][c] / a[c][c];
        for (int k = c; k < n; k++) {
          a[r][k] -= factor * a[c][k];
        }
        b[r] -= factor * b[c];
      }
    }
    float[] x = new float[n];
    for (int r = n - 1; r >= 0; r--) {
      float sum = b[r];
      for (int k = r + 1; k < n; k++) {
        sum -= a[r][k] * x[k];
      }
      x[r] = sum / a[r][r];
    }
    return x;
  }
}
