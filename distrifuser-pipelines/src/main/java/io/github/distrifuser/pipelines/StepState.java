package io.github.distrifuser.pipelines;

import io.github.distrifuser.tensor.NdArray;

/** Where a generation stands at the end of a step; a callback may change it. */
public final class StepState {
  private final int step;
  private final int steps;
  private final double timestep;
  private NdArray latents;
  private PromptEmbeds embeds;
  private boolean embedsReplaced;
  private boolean interrupted;

  StepState(int step, int steps, double timestep, NdArray latents, PromptEmbeds embeds) {
    this.step = step;
    this.steps = steps;
    this.timestep = timestep;
    this.latents = latents;
    this.embeds = embeds;
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

  /** The embeddings in use, repeated for each picture. */
  public PromptEmbeds embeds() {
    return embeds;
  }

  /** Goes on with other latents of the same shape. */
  public void setLatents(NdArray other) {
    if (!other.shape().equals(latents.shape())) {
      throw new IllegalArgumentException(
          "latents: expected " + latents.shape() + ", found " + other.shape());
    }
    latents = other;
  }

  /** Goes on with other embeddings of the same shapes. */
  public void setEmbeds(PromptEmbeds other) {
    embeds = other;
    embedsReplaced = true;
  }

  /** Ends the loop after this step; what there is is decoded. */
  public void interrupt() {
    interrupted = true;
  }

  boolean isInterrupted() {
    return interrupted;
  }

  boolean isEmbedsReplaced() {
    return embedsReplaced;
  }
}
