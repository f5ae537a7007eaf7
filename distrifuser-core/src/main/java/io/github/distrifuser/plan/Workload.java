package io.github.distrifuser.plan;

import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.parallel.Parallelism;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;

/**
 * A generation to be planned.
 *
 * @param unet the model
 * @param config how the ranks divide it; its height and width are the picture's, and it says
 *     whether there is guidance
 * @param latentFactor how many times smaller latents are than pictures
 * @param images pictures that are drawn together; guidance doubles them in the batch
 * @param dtype type of activations and weights
 * @param steps calls of the model
 */
public record Workload(
    UNetConfig unet, DistriConfig config, int latentFactor, int images, DType dtype, int steps) {
  /** Tokens of a prompt. */
  private static final int TOKENS = 77;

  /** Numbers of SDXL's size conditioning. */
  private static final int TIME_IDS = 6;

  public Workload {
    if (images < 1 || steps < 1 || latentFactor < 1) {
      throw new IllegalArgumentException(
          images + " images, " + steps + " steps, latents " + latentFactor + " times smaller");
    }
  }

  /** Entries of the batch that go through the model. */
  public int batch() {
    return config.doClassifierFreeGuidance() ? 2 * images : images;
  }

  int latentHeight() {
    return config.height() / latentFactor;
  }

  int latentWidth() {
    return config.width() / latentFactor;
  }

  /** Zeros in the shapes of what a pipeline hands to the denoiser. */
  DenoiserInputs inputs() {
    int b = batch();
    int text = unet.crossAttentionDim().get(unet.crossAttentionDim().size() - 1);
    int joined = unet.projectionClassEmbeddingsInputDim();
    int guidance = unet.timeCondProjDim();
    return new DenoiserInputs(
        b,
        latentHeight(),
        latentWidth(),
        config.doClassifierFreeGuidance(),
        NdArray.zeros(b, TOKENS, text),
        joined == 0
            ? null
            : NdArray.zeros(b, joined - (long) TIME_IDS * unet.additionTimeEmbedDim()),
        joined == 0 ? null : NdArray.zeros(b, TIME_IDS),
        guidance == 0 ? null : NdArray.zeros(b, guidance));
  }

  NdArray sample() {
    return NdArray.zeros(batch(), unet.inChannels(), latentHeight(), latentWidth());
  }

  /** Whether steps differ by how many there were before, and not by their number's parity alone. */
  private boolean hasPhases() {
    return config.parallelism() == Parallelism.PATCH;
  }

  /**
   * Steps that are recorded: two synchronous ones, of which the first plans; two asynchronous ones
   * until all slots are under way; and two that repeat, as naive patches alternate.
   */
  static final int RECORDED = 6;

  /** The configuration under which {@link #RECORDED} steps show all that a generation does. */
  DistriConfig recordedConfig() {
    return config.toBuilder().warmupSteps(1).build();
  }

  /** Which recorded step a step of the generation is like. */
  int recordedStep(int step) {
    int warmup = config.warmupSteps();
    if (step == 0) {
      return 0;
    }
    int repeated = step % 2 == 0 ? RECORDED - 2 : RECORDED - 1;
    if (!hasPhases()) {
      return repeated;
    }
    return step <= warmup ? 1 : step <= warmup + 2 ? step - warmup + 1 : repeated;
  }
}
