package io.github.distrifuser.pipelines;

import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.pipelines.sd.DistriSDPipeline;
import io.github.distrifuser.pipelines.sdxl.DistriSDXLPipeline;
import io.github.distrifuser.weights.WeightsException;
import java.util.List;

/** diffusers' {@code DiffusionPipeline.from_pretrained}: the pipeline that a model names. */
public final class Pipelines {
  private Pipelines() {}

  /**
   * Loads a model with the pipeline that its model_index.json names.
   *
   * @param model a folder as diffusers saves it, a model of the hub ({@code org/name} or {@code
   *     org/name@revision}), {@code landscapes}, {@code random:sdxl} or {@code random:sd15}
   * @throws IllegalArgumentException where the model or an option is unknown
   * @throws WeightsException naming the file at fault
   * @throws io.github.distrifuser.hub.HubException where a model of the hub cannot be had
   */
  public static DistriPipeline fromPretrained(
      DistriConfig config, String model, LoadOptions options) {
    PipelineParts parts =
        PipelineParts.load(
            config, model, options, List.of(DistriSDPipeline.CLASS, DistriSDXLPipeline.CLASS));
    return parts.index().getString("_class_name").equals(DistriSDPipeline.CLASS)
        ? DistriSDPipeline.of(config, parts)
        : DistriSDXLPipeline.of(config, parts);
  }
}
