package io.github.distrifuser.pipelines;

import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.pipelines.sd.DistriSDPipeline;
import io.github.distrifuser.pipelines.sdxl.DistriSDXLPipeline;
import io.github.distrifuser.weights.ModelConfig;
import io.github.distrifuser.weights.WeightsException;

/** diffusers' {@code DiffusionPipeline.from_pretrained}: the pipeline that a model names. */
public final class Pipelines {
  private Pipelines() {}

  /**
   * Loads a model with the pipeline that its model_index.json names.
   *
   * @param model a folder as diffusers saves it, {@code landscapes}, {@code random:sdxl} or {@code
   *     random:sd15}
   * @throws IllegalArgumentException where the model or an option is unknown
   * @throws WeightsException naming the file at fault
   */
  public static DistriPipeline fromPretrained(
      DistriConfig config, String model, LoadOptions options) {
    ModelConfig index = ModelSource.resolve(model, options.seed()).config("model_index.json");
    String name = index.getString("_class_name");
    return switch (name) {
      case "StableDiffusionXLPipeline" -> DistriSDXLPipeline.fromPretrained(config, model, options);
      case "StableDiffusionPipeline" -> DistriSDPipeline.fromPretrained(config, model, options);
      default ->
          throw new WeightsException(
              index.source(),
              "_class_name: unknown pipeline "
                  + name
                  + ": choose from StableDiffusionPipeline, StableDiffusionXLPipeline");
    };
  }
}
