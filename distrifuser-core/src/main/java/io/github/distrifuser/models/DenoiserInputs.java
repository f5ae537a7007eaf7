package io.github.distrifuser.models;

import io.github.distrifuser.tensor.NdArray;
import org.jspecify.annotations.Nullable;

/**
 * What stays the same through the steps of one generation.
 *
 * @param batch entries of the batch that goes through the model, both halves under guidance
 * @param height rows of the latents
 * @param width columns of the latents
 * @param guidance whether the batch is {@code [unconditional, conditional]}
 * @param encoderHiddenStates the prompt's embeddings, {@code [batch, tokens, width]}
 * @param textEmbeds SDXL's pooled embeddings {@code [batch, width]}, or null
 * @param timeIds SDXL's size conditioning {@code [batch, 6]}, or null
 * @param timestepCond guidance embedding {@code [batch, time_cond_proj_dim]}, or null
 */
public record DenoiserInputs(
    int batch,
    int height,
    int width,
    boolean guidance,
    NdArray encoderHiddenStates,
    @Nullable NdArray textEmbeds,
    @Nullable NdArray timeIds,
    @Nullable NdArray timestepCond) {

  public DenoiserInputs {
    check("encoder_hidden_states", encoderHiddenStates, batch);
    check("text_embeds", textEmbeds, batch);
    check("time_ids", timeIds, batch);
    check("timestep_cond", timestepCond, batch);
    if (batch < 1 || height < 1 || width < 1 || (guidance && batch % 2 != 0)) {
      throw new IllegalArgumentException(
          "impossible batch " + batch + " of latents " + height + " x " + width);
    }
  }

  private static void check(String name, @Nullable NdArray a, int batch) {
    if (a != null && a.size(0) != batch) {
      throw new IllegalArgumentException(
          name + ": expected a batch of " + batch + ", found " + a.shape());
    }
  }

  /** The entries {@code [from, to)} of the batch alone, without guidance halves. */
  public DenoiserInputs slice(int from, int to) {
    return new DenoiserInputs(
        to - from,
        height,
        width,
        false,
        encoderHiddenStates.rows(from, to),
        textEmbeds == null ? null : textEmbeds.rows(from, to),
        timeIds == null ? null : timeIds.rows(from, to),
        timestepCond == null ? null : timestepCond.rows(from, to));
  }
}
