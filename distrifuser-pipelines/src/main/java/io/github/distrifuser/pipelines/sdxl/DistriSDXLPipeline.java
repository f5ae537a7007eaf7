package io.github.distrifuser.pipelines.sdxl;

import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.pipelines.DistriPipeline;
import io.github.distrifuser.pipelines.GenerationRequest;
import io.github.distrifuser.pipelines.ImageSize;
import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.PipelineParts;
import io.github.distrifuser.pipelines.PromptEncoder;
import io.github.distrifuser.pipelines.TextEncoder;
import io.github.distrifuser.tensor.NdArray;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The original's DistriSDXLPipeline: diffusers' StableDiffusionXLPipeline on several ranks.
 *
 * <p>Upstream: {@code distrifuser.pipelines.DistriSDXLPipeline}, {@code
 * diffusers.StableDiffusionXLPipeline}.
 */
public final class DistriSDXLPipeline extends DistriPipeline {
  /** diffusers' name of it, in model_index.json. */
  public static final String CLASS = "StableDiffusionXLPipeline";

  private final @Nullable TextEncoder first;
  private final @Nullable TextEncoder second;
  private final @Nullable PromptEncoder encoder;

  private DistriSDXLPipeline(DistriConfig config, PipelineParts parts) {
    super(config, parts);
    this.first = parts.textEncoder("", false);
    this.second = parts.textEncoder("_2", true);
    this.encoder =
        second == null
            ? null
            : new SdxlPromptEncoder(
                first, second, parts.index().getBoolean("force_zeros_for_empty_prompt", true));
  }

  /**
   * Loads a model.
   *
   * @param model a folder as diffusers saves it, a model of the hub, {@code landscapes}, or {@code
   *     random:sdxl}
   * @throws IllegalArgumentException where the model or an option is unknown
   * @throws io.github.distrifuser.weights.WeightsException naming the file and tensor at fault
   * @throws io.github.distrifuser.hub.HubException where a model of the hub cannot be had
   */
  public static DistriSDXLPipeline fromPretrained(
      DistriConfig config, String model, LoadOptions options) {
    return of(config, PipelineParts.load(config, model, options, List.of(CLASS)));
  }

  /** A pipeline of parts that are loaded; closes them where that fails. */
  public static DistriSDXLPipeline of(DistriConfig config, PipelineParts parts) {
    try {
      return new DistriSDXLPipeline(config, parts);
    } catch (RuntimeException | Error e) {
      parts.close();
      throw e;
    }
  }

  /** {@link #fromPretrained(DistriConfig, String, LoadOptions)} with default options. */
  public static DistriSDXLPipeline fromPretrained(DistriConfig config, String model) {
    return fromPretrained(config, model, LoadOptions.defaults());
  }

  /** {@link #fromPretrained(DistriConfig, String, LoadOptions)} with the original's defaults. */
  public static DistriSDXLPipeline fromPretrained(String model) {
    return fromPretrained(DistriConfig.defaults(), model);
  }

  @Override
  protected double defaultGuidanceScale() {
    return 5;
  }

  @Override
  protected @Nullable PromptEncoder promptEncoder() {
    return encoder;
  }

  /** Original size, crop and target size; the negative ones only where both sizes are given. */
  @Override
  protected NdArray timeIds(GenerationRequest r, int height, int width, boolean negative) {
    ImageSize picture = new ImageSize(height, width);
    boolean own = negative && r.negativeOriginalSize() != null && r.negativeTargetSize() != null;
    ImageSize original = own ? r.negativeOriginalSize() : r.originalSize();
    ImageSize target = own ? r.negativeTargetSize() : r.targetSize();
    ImageSize crop = own ? r.negativeCropsCoordsTopLeft() : r.cropsCoordsTopLeft();
    original = original == null ? picture : original;
    target = target == null ? picture : target;
    return NdArray.of(
        new float[] {
          original.height(),
          original.width(),
          crop.height(),
          crop.width(),
          target.height(),
          target.width()
        },
        1,
        6);
  }

  @Override
  public List<String> callbackTensorInputs() {
    return List.of("latents", "prompt_embeds", "add_text_embeds", "add_time_ids");
  }

  @Override
  protected void closeParts() {
    if (first != null) {
      first.close();
    }
    if (second != null) {
      second.close();
    }
  }
}
