package io.github.distrifuser.pipelines;

import io.github.distrifuser.tensor.NdArray;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** Where a generation stands at the end of a step; a callback may change it. */
public final class StepState {
  private final int step;
  private final int steps;
  private final double timestep;
  private final StepTensors tensors;
  private final Map<String, NdArray> replaced = new LinkedHashMap<>();
  private NdArray latents;
  private boolean interrupted;

  StepState(int step, int steps, double timestep, NdArray latents, StepTensors tensors) {
    this.step = step;
    this.steps = steps;
    this.timestep = timestep;
    this.latents = latents;
    this.tensors = tensors;
  }

  /** Number of the step, from 0. */
  public int step() {
    return step;
  }

  /** Number of steps of the generation. */
  public int steps() {
    return steps;
  }

  /** The step's time. */
  public double timestep() {
    return timestep;
  }

  /** Latents after the step, {@code [n, 4, h/8, w/8]}. */
  public NdArray latents() {
    return latents;
  }

  /**
   * The tensors that {@link GenerationRequest#callbackOnStepEndTensorInputs()} names, as the loop
   * has them: under guidance {@code prompt_embeds}, {@code add_text_embeds} and {@code
   * add_time_ids} hold both halves of the batch, the negative first. One that the generation has
   * not, as {@code negative_prompt_embeds} without guidance, is absent.
   */
  public Map<String, NdArray> tensors() {
    Map<String, NdArray> out = tensors.asked(latents);
    replaced.forEach(out::replace);
    return Collections.unmodifiableMap(out);
  }

  /**
   * Goes on with another tensor of the same shape, whether it was asked for or not. As in diffusers
   * {@code negative_prompt_embeds} is of no effect here: the loop's {@code prompt_embeds} has taken
   * it in.
   *
   * @throws IllegalArgumentException where the pipeline has no tensor of this name, listing those
   *     that it has, or where the shape is another
   */
  public void replace(String name, NdArray other) {
    if (name.equals(StepTensors.LATENTS)) {
      setLatents(other);
    } else {
      tensors.check(name, other);
      replaced.put(name, other);
    }
  }

  /** Goes on with other latents of the same shape. */
  public void setLatents(NdArray other) {
    StepTensors.sameShape(StepTensors.LATENTS, latents, other);
    latents = other;
  }

  /** Ends the loop after this step; what there is is decoded. */
  public void interrupt() {
    interrupted = true;
  }

  boolean isInterrupted() {
    return interrupted;
  }

  /** What was replaced, latents aside. */
  Map<String, NdArray> replaced() {
    return replaced;
  }
}
