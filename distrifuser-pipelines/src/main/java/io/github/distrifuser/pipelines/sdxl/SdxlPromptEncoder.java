package io.github.distrifuser.pipelines.sdxl;

import io.github.distrifuser.models.clip.CLIPTextOutput;
import io.github.distrifuser.pipelines.GenerationRequest;
import io.github.distrifuser.pipelines.PromptEmbeds;
import io.github.distrifuser.pipelines.PromptEncoder;
import io.github.distrifuser.pipelines.TextEncoder;
import io.github.distrifuser.tensor.NdArray;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * StableDiffusionXLPipeline's encode_prompt: states of both encoders side by side, pooled states of
 * the second.
 */
final class SdxlPromptEncoder implements PromptEncoder {
  private final @Nullable TextEncoder first;
  private final TextEncoder second;
  private final boolean forceZerosForEmptyPrompt;

  SdxlPromptEncoder(@Nullable TextEncoder first, TextEncoder second, boolean forceZeros) {
    this.first = first;
    this.second = second;
    this.forceZerosForEmptyPrompt = forceZeros;
  }

  private record Encoded(NdArray states, NdArray pooled) {}

  @Override
  public PromptEmbeds encode(GenerationRequest r, boolean guidance) {
    int n = r.prompt().size();
    List<String> prompt2 =
        r.prompt2().isEmpty() ? r.prompt() : PromptEncoder.fill("prompt_2", r.prompt2(), "", n);
    int fromEnd = r.clipSkip() == null ? 2 : r.clipSkip() + 2;
    boolean zeros = guidance && r.negativePrompt().isEmpty() && forceZerosForEmptyPrompt;
    List<String> negative = List.of();
    List<String> negative2 = List.of();
    if (guidance && !zeros) {
      negative = PromptEncoder.fill("negative_prompt", r.negativePrompt(), "", n);
      negative2 =
          r.negativePrompt2().isEmpty()
              ? negative
              : PromptEncoder.fill("negative_prompt_2", r.negativePrompt2(), "", n);
    }
    int chunks =
        r.longPrompts() ? Math.max(chunks(r.prompt(), prompt2), chunks(negative, negative2)) : 1;
    Encoded positive = encode(r.prompt(), prompt2, fromEnd, chunks);
    if (!guidance) {
      return new PromptEmbeds(positive.states, null, positive.pooled, null);
    }
    if (zeros) {
      return new PromptEmbeds(
          positive.states,
          PromptEncoder.zerosLike(positive.states),
          positive.pooled,
          PromptEncoder.zerosLike(positive.pooled));
    }
    Encoded other = encode(negative, negative2, 2, chunks);
    return new PromptEmbeds(positive.states, other.states, positive.pooled, other.pooled);
  }

  /** What the longer of the two encoders' prompts needs. */
  private int chunks(List<String> prompts, List<String> prompts2) {
    int b = second.chunks(prompts2);
    return first == null ? b : Math.max(first.chunks(prompts), b);
  }

  private Encoded encode(List<String> prompts, List<String> prompts2, int fromEnd, int chunks) {
    CLIPTextOutput b = second.encode(prompts2, fromEnd, chunks);
    NdArray states = b.hiddenStates();
    if (first != null) {
      states = NdArray.concatLast(first.encode(prompts, fromEnd, chunks).hiddenStates(), states);
    }
    return new Encoded(states, b.pooled());
  }
}
