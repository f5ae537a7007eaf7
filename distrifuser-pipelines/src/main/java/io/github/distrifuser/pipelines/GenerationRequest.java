package io.github.distrifuser.pipelines;

import io.github.distrifuser.random.Generator;
import io.github.distrifuser.tensor.NdArray;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Everything that a call may ask, with diffusers' names and defaults. Immutable; generators aside,
 * whose streams go on from call to call as torch's do.
 *
 * @param prompt prompts; empty where embeddings are given
 * @param prompt2 prompts for the second text encoder; empty for the same
 * @param negativePrompt what to keep away from: one for all, or one each; empty for none
 * @param negativePrompt2 the same for the second text encoder; empty for the same
 * @param height rows of the picture in pixels; null for the configuration's
 * @param width columns of the picture in pixels; null for the configuration's
 * @param numInferenceSteps denoising steps
 * @param guidanceScale how strongly the prompt pulls; null for the pipeline's default
 * @param guidanceRescale share of the correction of over-exposure, 0 to 1
 * @param denoisingEnd fraction of the process at which to stop, between 0 and 1; null for all of it
 * @param numImagesPerPrompt pictures of each prompt
 * @param eta share of DDPM's noise in DDIM, 0 to 1
 * @param generators source of noise: one for all, or one each; empty for a random seed
 * @param latents unit noise {@code [n, 4, h/8, w/8]} to start from; null to draw it
 * @param embeds embeddings instead of prompts; null to encode the prompts
 * @param outputType what to return
 * @param originalSize SDXL's conditioning: size of the original; null for the picture's
 * @param cropsCoordsTopLeft SDXL's conditioning: where the original was cut
 * @param targetSize SDXL's conditioning: size wanted; null for the picture's
 * @param negativeOriginalSize the same for the negative prompt; null for the positive's
 * @param negativeCropsCoordsTopLeft the same for the negative prompt
 * @param negativeTargetSize the same for the negative prompt; null for the positive's
 * @param clipSkip how many of the text encoder's last layers to leave out; null for none
 * @param longPrompts whether prompts that are longer than the text encoders take are encoded whole,
 *     in chunks whose embeddings are put together; else they are cut with a warning, as in
 *     diffusers
 * @param timesteps the caller's own timesteps; empty for the scheduler's
 * @param sigmas the caller's own noise levels; empty for the scheduler's
 * @param deadline how long the generation may take; null for as long as it needs
 * @param callbackOnStepEnd called after each step; null for none
 * @param callbackOnStepEndTensorInputs names of the tensors that it is given, out of the pipeline's
 *     {@link DistriPipeline#callbackTensorInputs()}
 */
public record GenerationRequest(
    List<String> prompt,
    List<String> prompt2,
    List<String> negativePrompt,
    List<String> negativePrompt2,
    @Nullable Integer height,
    @Nullable Integer width,
    int numInferenceSteps,
    @Nullable Double guidanceScale,
    double guidanceRescale,
    @Nullable Double denoisingEnd,
    int numImagesPerPrompt,
    double eta,
    List<Generator> generators,
    @Nullable NdArray latents,
    @Nullable PromptEmbeds embeds,
    OutputType outputType,
    @Nullable ImageSize originalSize,
    ImageSize cropsCoordsTopLeft,
    @Nullable ImageSize targetSize,
    @Nullable ImageSize negativeOriginalSize,
    ImageSize negativeCropsCoordsTopLeft,
    @Nullable ImageSize negativeTargetSize,
    @Nullable Integer clipSkip,
    boolean longPrompts,
    List<Double> timesteps,
    List<Double> sigmas,
    @Nullable Duration deadline,
    @Nullable StepCallback callbackOnStepEnd,
    List<String> callbackOnStepEndTensorInputs) {

  public GenerationRequest {
    prompt = List.copyOf(prompt);
    prompt2 = List.copyOf(prompt2);
    negativePrompt = List.copyOf(negativePrompt);
    negativePrompt2 = List.copyOf(negativePrompt2);
    generators = List.copyOf(generators);
    timesteps = List.copyOf(timesteps);
    sigmas = List.copyOf(sigmas);
    callbackOnStepEndTensorInputs = List.copyOf(callbackOnStepEndTensorInputs);
    RequestChecks.check(
        numInferenceSteps, numImagesPerPrompt, guidanceRescale, denoisingEnd, eta, clipSkip);
    if (!timesteps.isEmpty() && !sigmas.isEmpty()) {
      throw new IllegalArgumentException("only one of timesteps and sigmas can be given");
    }
  }

  /** Starts from diffusers' defaults, without a prompt. */
  public static Builder builder() {
    return new Builder();
  }

  /** A request for one picture of a prompt. */
  public static GenerationRequest of(String prompt) {
    return builder().prompt(prompt).build();
  }

  /** A builder that starts from these values. */
  public Builder toBuilder() {
    Builder b = new Builder();
    b.prompt = prompt;
    b.prompt2 = prompt2;
    b.negativePrompt = negativePrompt;
    b.negativePrompt2 = negativePrompt2;
    b.height = height;
    b.width = width;
    b.numInferenceSteps = numInferenceSteps;
    b.guidanceScale = guidanceScale;
    b.guidanceRescale = guidanceRescale;
    b.denoisingEnd = denoisingEnd;
    b.numImagesPerPrompt = numImagesPerPrompt;
    b.eta = eta;
    b.generators = generators;
    b.latents = latents;
    b.embeds = embeds;
    b.outputType = outputType;
    b.originalSize = originalSize;
    b.cropsCoordsTopLeft = cropsCoordsTopLeft;
    b.targetSize = targetSize;
    b.negativeOriginalSize = negativeOriginalSize;
    b.negativeCropsCoordsTopLeft = negativeCropsCoordsTopLeft;
    b.negativeTargetSize = negativeTargetSize;
    b.clipSkip = clipSkip;
    b.longPrompts = longPrompts;
    b.timesteps = timesteps;
    b.sigmas = sigmas;
    b.deadline = deadline;
    b.callbackOnStepEnd = callbackOnStepEnd;
    b.callbackOnStepEndTensorInputs = callbackOnStepEndTensorInputs;
    return b;
  }

  /** Builds a {@link GenerationRequest}, starting from diffusers' defaults. */
  public static final class Builder {
    private List<String> prompt = List.of();
    private List<String> prompt2 = List.of();
    private List<String> negativePrompt = List.of();
    private List<String> negativePrompt2 = List.of();
    private @Nullable Integer height;
    private @Nullable Integer width;
    private int numInferenceSteps = 50;
    private @Nullable Double guidanceScale;
    private double guidanceRescale = 0;
    private @Nullable Double denoisingEnd;
    private int numImagesPerPrompt = 1;
    private double eta = 0;
    private List<Generator> generators = List.of();
    private @Nullable NdArray latents;
    private @Nullable PromptEmbeds embeds;
    private OutputType outputType = OutputType.IMAGE;
    private @Nullable ImageSize originalSize;
    private ImageSize cropsCoordsTopLeft = new ImageSize(0, 0);
    private @Nullable ImageSize targetSize;
    private @Nullable ImageSize negativeOriginalSize;
    private ImageSize negativeCropsCoordsTopLeft = new ImageSize(0, 0);
    private @Nullable ImageSize negativeTargetSize;
    private @Nullable Integer clipSkip;
    private boolean longPrompts;
    private List<Double> timesteps = List.of();
    private List<Double> sigmas = List.of();
    private @Nullable Duration deadline;
    private @Nullable StepCallback callbackOnStepEnd;
    private List<String> callbackOnStepEndTensorInputs = List.of("latents");

    private Builder() {}

    /** Prompts; empty where embeddings are given. */
    public Builder prompt(List<String> value) {
      prompt = value;
      return this;
    }

    /** As {@link #prompt(List)}, for one. */
    public Builder prompt(String value) {
      return prompt(List.of(value));
    }

    /** Prompts for the second text encoder; empty for the same. */
    public Builder prompt2(List<String> value) {
      prompt2 = value;
      return this;
    }

    /** As {@link #prompt2(List)}, for one. */
    public Builder prompt2(String value) {
      return prompt2(List.of(value));
    }

    /** What to keep away from: one for all, or one each; empty for none. */
    public Builder negativePrompt(List<String> value) {
      negativePrompt = value;
      return this;
    }

    /** As {@link #negativePrompt(List)}, for one. */
    public Builder negativePrompt(String value) {
      return negativePrompt(List.of(value));
    }

    /** The same for the second text encoder; empty for the same. */
    public Builder negativePrompt2(List<String> value) {
      negativePrompt2 = value;
      return this;
    }

    /** As {@link #negativePrompt2(List)}, for one. */
    public Builder negativePrompt2(String value) {
      return negativePrompt2(List.of(value));
    }

    /** Rows of the picture in pixels; null for the configuration's. */
    public Builder height(@Nullable Integer value) {
      height = value;
      return this;
    }

    /** Columns of the picture in pixels; null for the configuration's. */
    public Builder width(@Nullable Integer value) {
      width = value;
      return this;
    }

    /** Denoising steps. */
    public Builder numInferenceSteps(int value) {
      numInferenceSteps = value;
      return this;
    }

    /** How strongly the prompt pulls; null for the pipeline's default. */
    public Builder guidanceScale(@Nullable Double value) {
      guidanceScale = value;
      return this;
    }

    /** Share of the correction of over-exposure, 0 to 1. */
    public Builder guidanceRescale(double value) {
      guidanceRescale = value;
      return this;
    }

    /** Fraction of the process at which to stop, between 0 and 1; null for all of it. */
    public Builder denoisingEnd(@Nullable Double value) {
      denoisingEnd = value;
      return this;
    }

    /** Pictures of each prompt. */
    public Builder numImagesPerPrompt(int value) {
      numImagesPerPrompt = value;
      return this;
    }

    /** Share of DDPM's noise in DDIM, 0 to 1. */
    public Builder eta(double value) {
      eta = value;
      return this;
    }

    /** Source of noise: one for all, or one each; empty for a random seed. */
    public Builder generators(List<Generator> value) {
      generators = value;
      return this;
    }

    /** As {@link #generators(List)}, one for all. */
    public Builder generator(Generator value) {
      return generators(List.of(value));
    }

    /** Unit noise {@code [n, 4, h/8, w/8]} to start from; null to draw it. */
    public Builder latents(@Nullable NdArray value) {
      latents = value;
      return this;
    }

    /** Embeddings instead of prompts; null to encode the prompts. */
    public Builder embeds(@Nullable PromptEmbeds value) {
      embeds = value;
      return this;
    }

    /** What to return. */
    public Builder outputType(OutputType value) {
      outputType = value;
      return this;
    }

    /** SDXL's conditioning: size of the original; null for the picture's. */
    public Builder originalSize(@Nullable ImageSize value) {
      originalSize = value;
      return this;
    }

    /** SDXL's conditioning: where the original was cut. */
    public Builder cropsCoordsTopLeft(ImageSize value) {
      cropsCoordsTopLeft = value;
      return this;
    }

    /** SDXL's conditioning: size wanted; null for the picture's. */
    public Builder targetSize(@Nullable ImageSize value) {
      targetSize = value;
      return this;
    }

    /** The same for the negative prompt; null for the positive's. */
    public Builder negativeOriginalSize(@Nullable ImageSize value) {
      negativeOriginalSize = value;
      return this;
    }

    /** The same for the negative prompt. */
    public Builder negativeCropsCoordsTopLeft(ImageSize value) {
      negativeCropsCoordsTopLeft = value;
      return this;
    }

    /** The same for the negative prompt; null for the positive's. */
    public Builder negativeTargetSize(@Nullable ImageSize value) {
      negativeTargetSize = value;
      return this;
    }

    /** How many of the text encoder's last layers to leave out; null for none. */
    public Builder clipSkip(@Nullable Integer value) {
      clipSkip = value;
      return this;
    }

    /** Whether long prompts are encoded whole, in chunks; else they are cut with a warning. */
    public Builder longPrompts(boolean value) {
      longPrompts = value;
      return this;
    }

    /** The caller's own timesteps; empty for the scheduler's. */
    public Builder timesteps(List<Double> value) {
      timesteps = value;
      return this;
    }

    /** The caller's own noise levels; empty for the scheduler's. */
    public Builder sigmas(List<Double> value) {
      sigmas = value;
      return this;
    }

    /** How long the generation may take; null for as long as it needs. */
    public Builder deadline(@Nullable Duration value) {
      deadline = value;
      return this;
    }

    /** Called after each step; null for none. */
    public Builder callbackOnStepEnd(@Nullable StepCallback value) {
      callbackOnStepEnd = value;
      return this;
    }

    /** Names of the tensors that the callback is given. */
    public Builder callbackOnStepEndTensorInputs(List<String> value) {
      callbackOnStepEndTensorInputs = value;
      return this;
    }

    /**
     * Checks and builds.
     *
     * @throws IllegalArgumentException naming the argument that is out of range
     */
    public GenerationRequest build() {
      return new GenerationRequest(
          prompt,
          prompt2,
          negativePrompt,
          negativePrompt2,
          height,
          width,
          numInferenceSteps,
          guidanceScale,
          guidanceRescale,
          denoisingEnd,
          numImagesPerPrompt,
          eta,
          generators,
          latents,
          embeds,
          outputType,
          originalSize,
          cropsCoordsTopLeft,
          targetSize,
          negativeOriginalSize,
          negativeCropsCoordsTopLeft,
          negativeTargetSize,
          clipSkip,
          longPrompts,
          timesteps,
          sigmas,
          deadline,
          callbackOnStepEnd,
          callbackOnStepEndTensorInputs);
    }
  }
}
