package io.github.distrifuser.schedulers;

import java.util.EnumSet;
import java.util.function.DoubleUnaryOperator;

/**
 * The noise levels that a model was trained with: the cumulative products of 1 - beta, in float32
 * as torch computes them on a CPU. Linear and scaled-linear ones agree bit for bit; rescaled ones
 * involve square roots, which torch does not always round correctly.
 */
final class NoiseSchedule {
  /** What every scheduler knows. */
  static final EnumSet<BetaSchedule> COMMON =
      EnumSet.of(BetaSchedule.LINEAR, BetaSchedule.SCALED_LINEAR, BetaSchedule.SQUAREDCOS_CAP_V2);

  private static final double MAX_BETA = 0.999;

  private final SchedulerConfig config;
  private final float[] alphasCumprod; // [num_train_timesteps]

  private NoiseSchedule(SchedulerConfig config, float[] alphasCumprod) {
    this.config = config;
    this.alphasCumprod = alphasCumprod;
  }

  /** Defaults that most schedulers share; Heun and LCM have their own. */
  static NoiseSchedule of(SchedulerConfig config, EnumSet<BetaSchedule> allowed) {
    return of(config, allowed, 0.0001, 0.02, BetaSchedule.LINEAR);
  }

  static NoiseSchedule of(
      SchedulerConfig config,
      EnumSet<BetaSchedule> allowed,
      double betaStart,
      double betaEnd,
      BetaSchedule betaSchedule) {
    int n = config.integer("num_train_timesteps", 1000);
    if (n < 1) {
      throw config.error("num_train_timesteps: expected at least 1, found " + n);
    }
    double start = config.number("beta_start", betaStart);
    double end = config.number("beta_end", betaEnd);
    BetaSchedule schedule = config.choice("beta_schedule", betaSchedule, allowed);
    double[] trained = config.optionalNumbers("trained_betas");
    float[] betas;
    if (trained != null) {
      if (trained.length != n) {
        throw config.error(
            "trained_betas: " + trained.length + " values for num_train_timesteps " + n);
      }
      betas = Grid.toFloats(trained);
    } else {
      betas = betas(schedule, start, end, n);
    }
    return new NoiseSchedule(config, cumprod(betas));
  }

  private static float[] betas(BetaSchedule schedule, double start, double end, int n) {
    return switch (schedule) {
      case LINEAR -> Grid.torchLinspace(start, end, n);
      case SCALED_LINEAR -> {
        float[] b = Grid.torchLinspace(Math.sqrt(start), Math.sqrt(end), n);
        for (int i = 0; i < n; i++) {
          b[i] *= b[i];
        }
        yield b;
      }
      case SQUAREDCOS_CAP_V2 ->
          fromAlphaBar(
              n,
              t -> {
                double c = Math.cos((t + 0.008) / 1.008 * Math.PI / 2);
                return c * c;
              });
      case EXP -> fromAlphaBar(n, t -> Math.exp(t * -12));
      case LAPLACE ->
          fromAlphaBar(
              n,
              t -> {
                double half = -0.5 * Math.copySign(1, 0.5 - t);
                double snr = Math.exp(half * Math.log(1 - 2 * Math.abs(0.5 - t) + 1e-6));
                return Math.sqrt(snr / (1 + snr));
              });
      case SIGMOID -> {
        float[] b = Grid.torchLinspace(-6, 6, n);
        for (int i = 0; i < n; i++) {
          float s = 1 / (1 + (float) Math.exp(-b[i]));
          b[i] = s * (float) (end - start) + (float) start;
        }
        yield b;
      }
    };
  }

  private static float[] fromAlphaBar(int n, DoubleUnaryOperator alphaBar) {
    float[] b = new float[n];
    for (int i = 0; i < n; i++) {
      double from = alphaBar.applyAsDouble((double) i / n);
      double to = alphaBar.applyAsDouble((double) (i + 1) / n);
      b[i] = (float) Math.min(1 - to / from, MAX_BETA);
    }
    return b;
  }

  /** Products of 1 - beta: torch accumulates float32 in double. */
  private static float[] cumprod(float[] betas) {
    float[] out = new float[betas.length];
    double product = 1;
    for (int i = 0; i < out.length; i++) {
      product *= 1f - betas[i];
      out[i] = (float) product;
    }
    return out;
  }

  /**
   * As {@code rescale_betas_zero_snr} of this configuration says: shifted so that the last training
   * step is pure noise.
   *
   * @param last value in place of the zero that the last step gets; 0 to leave it
   */
  NoiseSchedule rescaledIfConfigured(float last) {
    if (!config.flag("rescale_betas_zero_snr", false)) {
      return this;
    }
    int n = alphasCumprod.length;
    float[] root = new float[n];
    float first = (float) Math.sqrt(alphasCumprod[0]);
    float end = (float) Math.sqrt(alphasCumprod[n - 1]);
    float scale = first / (first - end);
    for (int i = 0; i < n; i++) {
      root[i] = ((float) Math.sqrt(alphasCumprod[i]) - end) * scale;
      root[i] *= root[i];
    }
    float[] betas = new float[n];
    for (int i = 0; i < n; i++) {
      betas[i] = 1f - (i == 0 ? root[0] : root[i] / root[i - 1]);
    }
    float[] alphas = cumprod(betas);
    if (last != 0) {
      alphas[n - 1] = last;
    }
    return new NoiseSchedule(config, alphas);
  }

  int trainTimesteps() {
    return alphasCumprod.length;
  }

  /** Share of signal in the variance at training step {@code t}. */
  float alpha(double t) {
    int i = (int) t;
    if (i != t || i < 0 || i >= alphasCumprod.length) {
      throw config.error(
          "timestep " + t + " is none of the " + alphasCumprod.length + " training steps");
    }
    return alphasCumprod[i];
  }

  /** Noise levels sqrt((1 - alpha) / alpha), rising with the training step. */
  float[] sigmas() {
    float[] s = new float[alphasCumprod.length];
    for (int i = 0; i < s.length; i++) {
      s[i] = (float) Math.sqrt((1f - alphasCumprod[i]) / alphasCumprod[i]);
    }
    return s;
  }

  /** Half the log-SNR of every training step, falling. */
  float[] lambdas() {
    float[] l = new float[alphasCumprod.length];
    for (int i = 0; i < l.length; i++) {
      float alpha = (float) Math.sqrt(alphasCumprod[i]);
      float sigma = (float) Math.sqrt(1f - alphasCumprod[i]);
      l[i] = (float) Math.log(alpha) - (float) Math.log(sigma);
    }
    return l;
  }

  /** {@code sqrt(alpha) * original + sqrt(1 - alpha) * noise}, image by image. */
  float[] addNoise(float[] original, float[] noise, double[] timesteps) {
    int each = imageLength(config, original, noise, timesteps);
    float[] out = new float[original.length];
    for (int k = 0; k < timesteps.length; k++) {
      float alpha = alpha(timesteps[k]);
      float signal = (float) Math.sqrt(alpha);
      float level = (float) Math.sqrt(1f - alpha);
      for (int i = k * each; i < (k + 1) * each; i++) {
        out[i] = signal * original[i] + level * noise[i];
      }
    }
    return out;
  }

  /** Elements of one image, given one timestep for each or one for all. */
  static int imageLength(
      SchedulerConfig config, float[] original, float[] noise, double[] timesteps) {
    if (noise.length != original.length) {
      throw config.error(
          "noise of " + noise.length + " elements for a sample of " + original.length);
    }
    if (timesteps.length == 0 || original.length % timesteps.length != 0) {
      throw config.error(
          timesteps.length + " timesteps for a sample of " + original.length + " elements");
    }
    return original.length / timesteps.length;
  }
}
