package io.github.distrifuser.pipelines;

import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.tensor.NdArray;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Builds the batch that goes through the UNet: unconditional half first, as diffusers has it.
 *
 * @param timeIds size conditioning of one picture {@code [1, 6]}, or null
 * @param negativeTimeIds that of its unconditional half
 * @param timestepCond guidance embedding, one row an entry of the batch, or null
 */
record Conditioning(
    int height,
    int width,
    boolean guidance,
    @Nullable NdArray timeIds,
    @Nullable NdArray negativeTimeIds,
    @Nullable NdArray timestepCond) {

  DenoiserInputs inputs(PromptEmbeds e) {
    int n = e.prompt().size(0) * (guidance ? 2 : 1);
    NdArray negative = e.negativePrompt();
    if (guidance && negative == null) {
      throw new IllegalArgumentException(
          "guidance needs negative_prompt_embeds beside prompt_embeds");
    }
    return new DenoiserInputs(
        n,
        height,
        width,
        guidance,
        both(negative, e.prompt()),
        e.pooled() == null ? null : both(e.negativePooled(), e.pooled()),
        timeIds == null ? null : tiled(both(negativeTimeIds, timeIds), n),
        timestepCond);
  }

  private NdArray both(@Nullable NdArray negative, NdArray positive) {
    if (!guidance) {
      return positive;
    }
    if (negative == null) {
      throw new IllegalArgumentException("guidance needs negative embeddings of every kind");
    }
    return NdArray.concat(List.of(negative, positive));
  }

  /**
   * The rows over and over until there are n. That is what diffusers does with size conditioning:
   * with several pictures under guidance it gives {@code [negative, positive, negative, positive]},
   * although the embeddings' halves follow each other, so that negative sizes go to every other
   * picture. Its pictures depend on it.
   */
  private static NdArray tiled(NdArray rows, int n) {
    return NdArray.concat(Collections.nCopies(n / rows.size(0), rows));
  }
}
