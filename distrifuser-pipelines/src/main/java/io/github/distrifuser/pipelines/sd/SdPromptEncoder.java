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
    NdArray positive = encode(r.prompt(), r.clipSkip());
    if (!guidance) {
      return new PromptEmbeds(positive, null, null, null);
    }
    List<String> negative =
        PromptEncoder.fill("negative_prompt", r.negativePrompt(), "", r.prompt().size());
    return new PromptEmbeds(positive, encode(negative, null), null, null);
  }

  /** A skipped layer's state goes through the final norm, as the last one does. */
  private NdArray encode(List<String> prompts, @Nullable Integer clipSkip) {
    if (clipSkip == null) {
      return encoder.encode(prompts, 1).lastHiddenState();
    }
    CLIPTextOutput out = encoder.encode(prompts, clipSkip + 1);
    return encoder.model().finalNorm(out.hiddenStates());
  }
}
