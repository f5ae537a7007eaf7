package io.github.distrifuser.pipelines;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.random.Generator;
import io.github.distrifuser.schedulers.Scheduler;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** How each picture was made, as JSON in a text chunk of its PNG. */
final class GenerationParameters {
  /** The text chunk's keyword. */
  static final String KEYWORD = "parameters";

  private static final JsonMapper JSON = new JsonMapper();

  private GenerationParameters() {}

  /** The pictures, each with its parameters. */
  static List<GeneratedImage> label(
      List<GeneratedImage> pictures,
      GenerationRequest request,
      PipelineParts parts,
      Scheduler scheduler,
      double guidanceScale,
      List<Generator> generators) {
    List<GeneratedImage> labelled = new ArrayList<>();
    for (int i = 0; i < pictures.size(); i++) {
      GeneratedImage picture = pictures.get(i);
      ObjectNode n = JSON.createObjectNode();
      int prompt = i / request.numImagesPerPrompt();
      put(n, "prompt", request.prompt(), prompt);
      put(n, "prompt_2", request.prompt2(), prompt);
      put(n, "negative_prompt", request.negativePrompt(), prompt);
      put(n, "negative_prompt_2", request.negativePrompt2(), prompt);
      n.put("model", parts.modelName());
      n.put("height", picture.height());
      n.put("width", picture.width());
      n.put("num_inference_steps", request.numInferenceSteps());
      n.put("guidance_scale", guidanceScale);
      n.put("guidance_rescale", request.guidanceRescale());
      n.put("eta", request.eta());
      n.put("scheduler", scheduler.getClass().getSimpleName());
      if (request.latents() == null) {
        n.put("seed", RequestChecks.pick(generators, i).initialSeed());
      }
      n.put("image", i);
      n.put("ranks", parts.ranks());
      try {
        labelled.add(picture.withText(Map.of(KEYWORD, JSON.writeValueAsString(n))));
      } catch (JsonProcessingException e) {
        throw new IllegalStateException(e);
      }
    }
    return labelled;
  }

  private static void put(ObjectNode n, String key, List<String> values, int i) {
    if (!values.isEmpty()) {
      n.put(key, RequestChecks.pick(values, i));
    }
  }
}
