package io.github.distrifuser.pipelines;

import io.github.distrifuser.tensor.NdArray;
import org.jspecify.annotations.Nullable;

/**
 * A prompt as the UNet takes it.
 *
 * @param prompt {@code [n, tokens, width]}
 * @param negativePrompt the same shape; null without guidance
 * @param pooled SDXL's {@code [n, width]}, or null
 * @param negativePooled the same shape; null without guidance or for SD
 */
public record PromptEmbeds(
    NdArray prompt,
    @Nullable NdArray negativePrompt,
    @Nullable NdArray pooled,
    @Nullable NdArray negativePooled) {

  public PromptEmbeds {
    same("negative_prompt_embeds", prompt, negativePrompt);
    same("negative_pooled_prompt_embeds", pooled, negativePooled);
  }

  private static void same(String name, @Nullable NdArray a, @Nullable NdArray b) {
    if (b != null && (a == null || !a.shape().equals(b.shape()))) {
      throw new IllegalArgumentException(
          name
              + ": expected the shape of the positive ones, "
              + (a == null ? "which are missing" : a.shape())
              + ", found "
              + b.shape());
    }
  }

  /** Each entry {@code times} times in a row: one for each picture of a prompt. */
  PromptEmbeds repeat(int times) {
    if (times == 1) {
      return this;
    }
    return new PromptEmbeds(
        prompt.repeatInterleave(times),
        negativePrompt == null ? null : negativePrompt.repeatInterleave(times),
        pooled == null ? null : pooled.repeatInterleave(times),
        negativePooled == null ? null : negativePooled.repeatInterleave(times));
  }
}
