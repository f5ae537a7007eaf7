package io.github.distrifuser.models.unet;

import io.github.distrifuser.nn.TextContext;
import io.github.distrifuser.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The arguments of one call of the UNet.
 *
 * @param sample {@code [b, h, w, in_channels]}
 * @param times sinusoids of the timesteps, {@code [b, width]}: {@link
 *     UNet2DConditionModel#timeSinusoids}; overwritten where there is a timestepCond
 * @param context the prompt's embeddings, {@code [b, tokens, width]}
 * @param textEmbeds SDXL's pooled embeddings {@code [b, width]}, or null
 * @param sizes sinusoids of SDXL's size conditioning, {@code [b, 6 width]} (5 with an aesthetic
 *     score): {@link UNet2DConditionModel#sizeSinusoids}; or null
 * @param timestepCond guidance embedding {@code [b, time_cond_proj_dim]}, or null
 * @param downResiduals added to the skip connections (ControlNet), in their order; or null
 * @param midResidual added after the middle block (ControlNet), or null
 */
public record UNetInput(
    Tensor sample,
    Tensor times,
    TextContext context,
    @Nullable Tensor textEmbeds,
    @Nullable Tensor sizes,
    @Nullable Tensor timestepCond,
    @Nullable List<Tensor> downResiduals,
    @Nullable Tensor midResidual) {

  public UNetInput {
    if (times.size(0) != sample.size(0)) {
      throw new IllegalArgumentException(
          times.size(0) + " timesteps for a batch of " + sample.size(0));
    }
    if (context.states().size(0) != sample.size(0)) {
      throw new IllegalArgumentException(
          "encoder_hidden_states of "
              + context.states().shape()
              + " for a batch of "
              + sample.size(0));
    }
  }
}
