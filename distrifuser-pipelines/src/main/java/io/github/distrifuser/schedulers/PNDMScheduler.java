package io.github.distrifuser.schedulers;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.EnumSet;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Pseudo numerical methods for diffusion models: a linear multistep method, begun by Runge-Kutta
 * steps of four model calls each or, with {@code skip_prk_steps}, by steps of lower order.
 * Upstream: {@code PNDMScheduler}.
 */
public final class PNDMScheduler extends AbstractScheduler {
  private static final int ORDER = 4;

  private final boolean skipPrk;
  private final boolean alphaOne;
  private final PredictionType prediction;
  private final TimestepSpacing spacing;
  private final int offset;

  private double[] prk = new double[0];
  private int stride;
  private int calls;
  private final Deque<float[]> history = new ArrayDeque<>(); // newest prediction first
  private float @Nullable [] heldSample;
  private float[] weighted = new float[0];

  /**
   * @param given content of a {@code scheduler_config.json}
   */
  public PNDMScheduler(Map<String, ? extends @Nullable Object> given) {
    this(new SchedulerConfig("PNDMScheduler", given));
  }

  private PNDMScheduler(SchedulerConfig config) {
    super(config, NoiseSchedule.of(config, NoiseSchedule.COMMON));
    skipPrk = config.flag("skip_prk_steps", false);
    alphaOne = config.flag("set_alpha_to_one", false);
    prediction =
        config.choice(
            "prediction_type",
            PredictionType.EPSILON,
            EnumSet.of(PredictionType.EPSILON, PredictionType.V_PREDICTION));
    spacing =
        config.choice(
            "timestep_spacing", TimestepSpacing.LEADING, EnumSet.allOf(TimestepSpacing.class));
    offset = config.integer("steps_offset", 0);
  }

  @Override
  public void setTimesteps(int numInferenceSteps) {
    int n = checkSteps(numInferenceSteps);
    if (!skipPrk && n < ORDER) {
      throw config.error(
          "number of inference steps: Runge-Kutta steps (skip_prk_steps false) need at least "
              + ORDER
              + ", found "
              + n);
    }
    int train = schedule.trainTimesteps();
    double[] spaced = Grid.rint(Grid.timesteps(spacing, train, n, offset));
    stride = train / n;
    prk = skipPrk ? new double[0] : rungeKutta(spaced);
    begin(skipPrk ? secondRepeated(spaced) : joined(prk, spaced));
    calls = 0;
    history.clear();
    heldSample = null;
  }

  /** The second timestep comes twice: the first step is done over with a better slope. */
  private static double[] secondRepeated(double[] spaced) {
    if (spaced.length == 1) {
      return spaced;
    }
    double[] out = new double[spaced.length + 1];
    out[0] = spaced[0];
    System.arraycopy(spaced, 1, out, 1, 1);
    System.arraycopy(spaced, 1, out, 2, spaced.length - 1);
    return out;
  }

  /** Three steps of four calls: at the step, twice half a stride below, and at the next step. */
  private double[] rungeKutta(double[] spaced) {
    double[] out = new double[3 * ORDER];
    int half = stride / 2;
    for (int k = 0; k < 3; k++) {
      out[k * 4] = spaced[k];
      out[k * 4 + 1] = spaced[k + 1] + half;
      out[k * 4 + 2] = spaced[k + 1] + half;
      out[k * 4 + 3] = spaced[k + 1];
    }
    return out;
  }

  private static double[] joined(double[] prk, double[] spaced) {
    double[] out = Arrays.copyOf(prk, prk.length + spaced.length - 3);
    System.arraycopy(spaced, 3, out, prk.length, spaced.length - 3);
    return out;
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
    float[] prev =
        calls < prk.length
            ? rungeKuttaStep(modelOutput, t, sample)
            : multistep(modelOutput, t, sample);
    calls++;
    return new StepResult(prev, null);
  }

  private float[] rungeKuttaStep(float[] output, double t, float[] sample) {
    double to = calls % 2 == 0 ? t - stride / 2 : t;
    double from = prk[calls / 4 * 4];
    float[] slope = output;
    switch (calls % 4) {
      case 0 -> {
        weighted = scaled(output, (float) (1 / 6.0));
        remember(output);
        heldSample = sample.clone();
      }
      case 1, 2 -> add(weighted, scaled(output, (float) (1 / 3.0)));
      default -> {
        slope = weighted;
        add(slope, scaled(output, (float) (1 / 6.0)));
      }
    }
    return transfer(heldSample != null ? heldSample : sample, from, to, slope);
  }

  private float[] multistep(float[] output, double t, float[] sample) {
    double from = t;
    double to = t - stride;
    float[] start = sample;
    if (calls == 1) {
      to = t;
      from = t + stride;
    } else {
      remember(output);
    }
    float[][] e = history.toArray(new float[0][]);
    float[] slope = new float[output.length];
    if (e.length == 1 && calls == 0) {
      slope = output;
      heldSample = sample.clone();
    } else if (e.length == 1 && calls == 1) {
      for (int i = 0; i < slope.length; i++) {
        slope[i] = (output[i] + e[0][i]) / 2;
      }
      start = heldSample != null ? heldSample : sample;
      heldSample = null;
    } else if (e.length == 2) {
      for (int i = 0; i < slope.length; i++) {
        slope[i] = (3 * e[0][i] - e[1][i]) / 2;
      }
    } else if (e.length == 3) {
      for (int i = 0; i < slope.length; i++) {
        slope[i] = (23 * e[0][i] - 16 * e[1][i] + 5 * e[2][i]) / 12;
      }
    } else {
      float w = (float) (1 / 24.0);
      for (int i = 0; i < slope.length; i++) {
        slope[i] = w * (55 * e[0][i] - 59 * e[1][i] + 37 * e[2][i] - 9 * e[3][i]);
      }
    }
    return transfer(start, from, to, slope);
  }

  /** Keeps the four newest predictions. */
  private void remember(float[] output) {
    if (history.size() == ORDER) {
      history.removeLast();
    }
    history.addFirst(output.clone());
  }

  /** Formula (9) of the paper: the sample at {@code to} from that at {@code from}. */
  private float[] transfer(float[] sample, double from, double to, float[] output) {
    float alpha = schedule.alpha(from);
    float alphaTo = to >= 0 ? schedule.alpha(to) : alphaOne ? 1f : schedule.alpha(0);
    float beta = 1f - alpha;
    float betaTo = 1f - alphaTo;
    float[] eps = output;
    if (prediction == PredictionType.V_PREDICTION) {
      float signal = (float) Math.sqrt(alpha);
      float level = (float) Math.sqrt(beta);
      eps = new float[output.length];
      for (int i = 0; i < eps.length; i++) {
        eps[i] = signal * output[i] + level * sample[i];
      }
    }
    float keep = (float) Math.sqrt(alphaTo / alpha);
    float divisor = alpha * (float) Math.sqrt(betaTo) + (float) Math.sqrt(alpha * beta * alphaTo);
    float difference = alphaTo - alpha;
    float[] prev = new float[sample.length];
    for (int i = 0; i < prev.length; i++) {
      prev[i] = keep * sample[i] - difference * eps[i] / divisor;
    }
    return prev;
  }

  private static float[] scaled(float[] a, float factor) {
    float[] out = new float[a.length];
    for (int i = 0; i < a.length; i++) {
      out[i] = factor * a[i];
    }
    return out;
  }

  private static void add(float[] to, float[] a) {
    for (int i = 0; i < a.length; i++) {
      to[i] += a[i];
    }
  }

  @Override
  public float[] addNoise(float[] original, float[] noise, double... timesteps) {
    return schedule.addNoise(original, noise, timesteps);
  }
}
