package io.github.distrifuser.schedulers;

import java.util.EnumSet;

/**
 * What Euler, Euler ancestral, Heun and LMS share: the sample is the clean one plus noise of a
 * level sigma, and the model's input is scaled back to unit variance.
 */
abstract class SigmaScheduler extends AbstractScheduler {
  final TimestepSpacing spacing;
  final int offset;
  final StepCounter counter;
  private float[] sigmas = new float[0];

  SigmaScheduler(SchedulerConfig config, NoiseSchedule schedule) {
    super(config, schedule);
    spacing =
        config.choice(
            "timestep_spacing", TimestepSpacing.LINSPACE, EnumSet.allOf(TimestepSpacing.class));
    offset = config.integer("steps_offset", 0);
    counter = new StepCounter(config);
  }

  final void begin(double[] runTimesteps, float[] runSigmas) {
    begin(runTimesteps);
    sigmas = runSigmas;
    counter.reset();
  }

  /** Timesteps of a run of {@code n} steps, rounded to float32. */
  final double[] spaced(int n) {
    return Grid.toFloat32(Grid.timesteps(spacing, schedule.trainTimesteps(), n, offset));
  }

  @Override
  public final float[] sigmas() {
    return sigmas.clone();
  }

  /** The run's noise level at an index. */
  final float sigma(int index) {
    return sigmas[index];
  }

  @Override
  public final float initNoiseSigma() {
    run();
    float max = Sigmas.max(sigmas);
    return spacing == TimestepSpacing.LEADING ? (float) Math.sqrt(max * max + 1) : max;
  }

  @Override
  public final float[] scaleModelInput(float[] sample, double t) {
    float sigma = sigmas[counter.at(t, run())];
    float divisor = (float) Math.sqrt(sigma * sigma + 1);
    float[] out = new float[sample.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = sample[i] / divisor;
    }
    return out;
  }

  @Override
  public final float[] addNoise(float[] original, float[] noise, double... timesteps) {
    int each = NoiseSchedule.imageLength(config, original, noise, timesteps);
    float[] out = new float[original.length];
    for (int k = 0; k < timesteps.length; k++) {
      float sigma = sigmas[counter.forNoise(timesteps[k], run())];
      for (int i = k * each; i < (k + 1) * each; i++) {
        out[i] = original[i] + noise[i] * sigma;
      }
    }
    return out;
  }

  @Override
  public final void setBeginIndex(int index) {
    counter.begin(index);
  }

  /** {@code (sample - x0) / sigma}: the slope of the trajectory. */
  static float[] derivative(float[] sample, float[] x0, float sigma) {
    float[] d = new float[sample.length];
    for (int i = 0; i < d.length; i++) {
      d[i] = (sample[i] - x0[i]) / sigma;
    }
    return d;
  }
}
