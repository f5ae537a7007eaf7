package io.github.distrifuser.schedulers;

import io.github.distrifuser.tensor.Shape;
import java.util.Arrays;

/**
 * Keeps predicted clean samples in range: by dynamic thresholding of each image, by clipping, or
 * not at all.
 */
final class Thresholding {
  private final SchedulerConfig config;
  private final boolean dynamic;
  private final double ratio;
  private final double maxValue;
  private final boolean clip;
  private final float range;

  private Thresholding(
      SchedulerConfig config,
      boolean dynamic,
      double ratio,
      double maxValue,
      boolean clip,
      double range) {
    this.config = config;
    this.dynamic = dynamic;
    this.ratio = ratio;
    this.maxValue = maxValue;
    this.clip = clip;
    this.range = (float) range;
  }

  /** For schedulers that can only threshold. */
  static Thresholding of(SchedulerConfig config) {
    return new Thresholding(
        config,
        config.flag("thresholding", false),
        config.number("dynamic_thresholding_ratio", 0.995),
        config.number("sample_max_value", 1),
        false,
        1);
  }

  /** For schedulers that can do both; thresholding wins. */
  static Thresholding orClipping(SchedulerConfig config, boolean clipByDefault) {
    return new Thresholding(
        config,
        config.flag("thresholding", false),
        config.number("dynamic_thresholding_ratio", 0.995),
        config.number("sample_max_value", 1),
        config.flag("clip_sample", clipByDefault),
        config.number("clip_sample_range", 1));
  }

  /** For schedulers that can only clip. */
  static Thresholding clipping(SchedulerConfig config, boolean clipByDefault) {
    return new Thresholding(
        config,
        false,
        1,
        1,
        config.flag("clip_sample", clipByDefault),
        config.number("clip_sample_range", 1));
  }

  boolean active() {
    return dynamic || clip;
  }

  boolean dynamic() {
    return dynamic;
  }

  /** The sample in range; the argument itself where nothing is to be done. */
  float[] apply(float[] sample, StepOptions options) {
    if (dynamic) {
      Shape shape = options.shapeOf(sample, config.className());
      float[] out = sample.clone();
      int each = Math.toIntExact(sample.length / Math.max(1, shape.dim(0)));
      for (int from = 0; from < out.length; from += each) {
        threshold(out, from, from + each);
      }
      return out;
    }
    if (clip) {
      float[] out = sample.clone();
      for (int i = 0; i < out.length; i++) {
        out[i] = clamp(out[i], range);
      }
      return out;
    }
    return sample;
  }

  /** Clamps one image to a quantile of its absolute values, at least 1, and divides by it. */
  private void threshold(float[] a, int from, int to) {
    float[] abs = new float[to - from];
    for (int i = 0; i < abs.length; i++) {
      abs[i] = Math.abs(a[from + i]);
    }
    Arrays.sort(abs);
    float rank = (float) ratio * (abs.length - 1);
    int below = (int) rank;
    int above = Math.min(below + 1, abs.length - 1);
    float w = rank - below;
    float span = abs[above] - abs[below];
    float quantile = w < 0.5f ? abs[below] + w * span : abs[above] - span * (1 - w);
    float s = Math.min(Math.max(quantile, 1f), (float) maxValue);
    for (int i = from; i < to; i++) {
      a[i] = clamp(a[i], s) / s;
    }
  }

  private static float clamp(float v, float limit) {
    return Math.min(Math.max(v, -limit), limit);
  }
}
