package io.github.distrifuser.pipelines.sd;

import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.pipelines.DistriPipeline;
import io.github.distrifuser.pipelines.GenerationRequest;
import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.PipelineParts;
import io.github.distrifuser.pipelines.PromptEncoder;
import io.github.distrifuser.pipelines.TextEncoder;
import io.github.distrifuser.tensor.NdArray;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The original's DistriSDPipeline: diffusers' StableDiffusionPipeline (SD 1.x and 2.x) on several
 * ranks. There is no safety checker, as in the original.
 *
 * <p>Upstream: {@code distrifuser.pipelines.DistriSDPipeline}, {@code
 * diffusers.StableDiffusionPipeline}.
 */
public final class DistriSDPipeline extends DistriPipeline {
  /** diffusers' name of it, in model_index.json. */
  public static final String CLASS = "StableDiffusionPipeline";

  private final @Nullable TextEncoder textEncoder;
  private final @Nullable PromptEncoder encoder;

  private DistriSDPipeline(DistriConfig config, PipelineParts parts) {
    super(config, parts);
    this.textEncoder = parts.textEncoder("", false);
    this.encoder = textEncoder == null ? null : new SdPromptEncoder(textEncoder);
  }

  /**
   * Loads a model.
   *
   * @param model a folder as diffusers saves it, a model of the hub, or {@code random:sd15}
   * @throws IllegalArgumentException where the model or an option is unknown
   * @throws io.github.distrifuser.weights.WeightsException naming the file and tensor at fault
   * @throws io.github.distrifuser.hub.HubException where a model of the hub cannot be had
   */
  public static DistriSDPipeline fromPretrained(
      DistriConfig config, String model, LoadOptions options) {
    return of(config, PipelineParts.load(config, model, options, List.of(CLASS)));
  }

  /** A pipeline of parts that are loaded; closes them where that fails. */
  public static DistriSDPipeline of(DistriConfig config, PipelineParts parts) {
    try {
      return new DistriSDPipeline(config, parts);
    } catch (RuntimeException | Error e) {
      parts.close();
      throw e;
    }
  }

  /** {@link #fromPretrained(DistriConfig, String, LoadOptions)} with default options. */
  public static DistriSDPipeline fromPretrained(DistriConfig config, String model) {
    return fromPretrained(config, model, LoadOptions.defaults());
  }

  @Override
  protected double defaultGuidanceScale() {
    return 7.5;
  }

  @Override
  protected @Nullable PromptEncoder promptEncoder() {
    return encoder;
  }

  @Override
  protected @Nullable NdArray timeIds(
      GenerationRequest request, int height, int width, boolean negative) {
    return null;
  }

  @Override
  public List<String> callbackTensorInputs() {
    return List.of("latents", "prompt_embeds", "negative_prompt_embeds");
  }

  @Override
  protected void closeParts() {
    if (textEncoder != null) {
      textEncoder.close();
    }
  }
}
