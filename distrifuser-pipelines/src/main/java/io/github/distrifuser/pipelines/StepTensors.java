package io.github.distrifuser.pipelines;

import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.tensor.NdArray;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The tensors of the denoising loop that a callback may read and replace, by diffusers' names: what
 * its pipelines list as {@code _callback_tensor_inputs}.
 */
final class StepTensors {
  static final String LATENTS = "latents";
  static final String PROMPT_EMBEDS = "prompt_embeds";
  static final String NEGATIVE_PROMPT_EMBEDS = "negative_prompt_embeds";
  static final String ADD_TEXT_EMBEDS = "add_text_embeds";
  static final String ADD_TIME_IDS = "add_time_ids";

  private final List<String> choices;
  private final List<String> asked;
  private final Map<String, NdArray> now = new LinkedHashMap<>();

  /**
   * Those of a generation that begins.
   *
   * @param choices the pipeline's names
   * @param asked those that the callback is to be given
   * @throws IllegalArgumentException where a name is no choice
   */
  StepTensors(
      List<String> choices, List<String> asked, DenoiserInputs inputs, PromptEmbeds embeds) {
    check(choices, asked);
    this.choices = choices;
    this.asked = asked;
    put(PROMPT_EMBEDS, inputs.encoderHiddenStates());
    put(NEGATIVE_PROMPT_EMBEDS, embeds.negativePrompt());
    put(ADD_TEXT_EMBEDS, inputs.textEmbeds());
    put(ADD_TIME_IDS, inputs.timeIds());
  }

  private void put(String name, @Nullable NdArray value) {
    if (value != null && choices.contains(name)) {
      now.put(name, value);
    }
  }

  static void check(List<String> choices, List<String> asked) {
    List<String> unknown = new ArrayList<>(asked);
    unknown.removeAll(choices);
    if (!unknown.isEmpty()) {
      throw new IllegalArgumentException(
          "callback_on_step_end_tensor_inputs: expected names out of "
              + String.join(", ", choices)
              + ", found "
              + String.join(", ", unknown));
    }
  }

  /** The callback's view of them after a step. */
  Map<String, NdArray> asked(NdArray latents) {
    Map<String, NdArray> out = new LinkedHashMap<>();
    for (String name : asked) {
      NdArray value = name.equals(LATENTS) ? latents : now.get(name);
      if (value != null) {
        out.put(name, value);
      }
    }
    return out;
  }

  /**
   * A tensor for another of its shape.
   *
   * @throws IllegalArgumentException where the name is no choice, the tensor is not there in this
   *     generation, or the shape is another
   */
  void check(String name, NdArray other) {
    check(choices, List.of(name));
    NdArray old = now.get(name);
    if (old == null) {
      throw new IllegalArgumentException(name + ": there is none in this generation");
    }
    sameShape(name, old, other);
  }

  static void sameShape(String name, NdArray old, NdArray other) {
    if (!other.shape().equals(old.shape())) {
      throw new IllegalArgumentException(
          name + ": expected " + old.shape() + ", found " + other.shape());
    }
  }

  /** Takes what a callback replaced, latents aside; gives what the model is to go on with. */
  DenoiserInputs replace(Map<String, NdArray> others, DenoiserInputs old) {
    now.putAll(others);
    return new DenoiserInputs(
        old.batch(),
        old.height(),
        old.width(),
        old.guidance(),
        others.getOrDefault(PROMPT_EMBEDS, old.encoderHiddenStates()),
        others.containsKey(ADD_TEXT_EMBEDS) ? others.get(ADD_TEXT_EMBEDS) : old.textEmbeds(),
        others.containsKey(ADD_TIME_IDS) ? others.get(ADD_TIME_IDS) : old.timeIds(),
        old.timestepCond());
  }
}
