package io.github.distrifuser.pipelines.sd;

import io.github.distrifuser.models.clip.CLIPTextOutput;
import io.github.distrifuser.pipelines.GenerationRequest;
import io.github.distrifuser.pipelines.PromptEmbeds;
import io.github.distrifuser.pipelines.PromptEncoder;
import io.github.distrifuser.pipelines.TextEncoder;
import io.github.distrifuser.tensor.NdArray;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** StableDiffusionPipeline's encode_prompt: the encoder's last state. */
final class SdPromptEncoder implements PromptEncoder {
  private final TextEncoder encoder;

  SdPromptEncoder(TextEncoder encoder) {
    this.encoder = encoder;
  }

  @Override
  public PromptEmbeds encode(GenerationRequest r, boolean guidance) {
    int n = r.prompt().size();
    List<String> negative =
        guidance ? PromptEncoder.fill("negative_prompt", r.negativePrompt(), "", n) : List.of();
    int chunks =
        r.longPrompts() ? Math.max(encoder.chunks(r.prompt()), encoder.chunks(negative)) : 1;
    NdArray positive = encode(r.prompt(), r.clipSkip(), chunks);
    return new PromptEmbeds(positive, guidance ? encode(negative, null, chunks) : null, null, null);
  }

  /** A skipped layer's state goes through the final norm, as the last one does. */
  private NdArray encode(List<String> prompts, @Nullable Integer clipSkip, int chunks) {
    if (clipSkip == null) {
      return encoder.encode(prompts, 1, chunks).lastHiddenState();
    }
    CLIPTextOutput out = encoder.encode(prompts, clipSkip + 1, chunks);
    return encoder.model().finalNorm(out.hiddenStates());
  }
}
