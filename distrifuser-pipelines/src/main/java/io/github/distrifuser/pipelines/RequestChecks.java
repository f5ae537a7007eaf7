package io.github.distrifuser.pipelines;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Bounds of a request's numbers. Messages name the argument as diffusers does. */
final class RequestChecks {
  private RequestChecks() {}

  static void check(
      int steps,
      int images,
      double rescale,
      @Nullable Double denoisingEnd,
      double eta,
      @Nullable Integer clipSkip) {
    positive("num_inference_steps", steps);
    positive("num_images_per_prompt", images);
    within("guidance_rescale", rescale);
    within("eta", eta);
    if (denoisingEnd != null) {
      within("denoising_end", denoisingEnd);
    }
    if (clipSkip != null && clipSkip < 0) {
      throw new IllegalArgumentException("clip_skip must not be negative but is " + clipSkip);
    }
  }

  private static void positive(String name, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(name + " must be positive but is " + value);
    }
  }

  private static void within(String name, double value) {
    if (!(value >= 0 && value <= 1)) {
      throw new IllegalArgumentException(name + " must lie between 0 and 1 but is " + value);
    }
  }

  /** diffusers' check of a size, with the factor between pictures and latents. */
  static void size(int height, int width, int factor) {
    if (height < factor || width < factor || height % factor != 0 || width % factor != 0) {
      throw new IllegalArgumentException(
          "height and width have to be divisible by "
              + factor
              + " but are "
              + height
              + " and "
              + width);
    }
  }

  /** The i-th of a list that holds one for all or one each. */
  static <T> T pick(List<T> list, int i) {
    return list.get(list.size() == 1 ? 0 : i);
  }

  /** One for all, or one each. */
  static void count(String name, int found, int expected) {
    if (found != 1 && found != expected) {
      throw new IllegalArgumentException(
          name + ": expected one or " + expected + ", found " + found);
    }
  }
}
