package io.github.distrifuser.pipelines;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.models.HalfErrors;
import io.github.distrifuser.models.ReferenceModels;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.pipelines.sd.DistriSDPipeline;
import io.github.distrifuser.pipelines.sdxl.DistriSDXLPipeline;
import io.github.distrifuser.random.Generator;
import io.github.distrifuser.random.TorchGenerator;
import io.github.distrifuser.schedulers.SchedulerKind;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.weights.HalfFloats;
import io.github.distrifuser.weights.SafetensorsFile;
import io.github.distrifuser.weights.WeightTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A reference case of a whole generation: what diffusers was asked and what it gave. */
public final class PipelineCase {
  private static final String LATENTS = "latents";

  /** What a case's name is followed by in the limits of 16 bits. */
  private static final String HALF_SUFFIX = "/" + LATENTS;

  private final String name;
  private final JsonNode spec;

  private PipelineCase(String name, JsonNode spec) {
    this.name = name;
    this.spec = spec;
  }

  /** A case by name, as in {@code pipeline/sdxl_default_euler}. */
  public static PipelineCase load(String name) {
    Path json = ReferenceModels.root().resolve("cases").resolve(name + ".json");
    try {
      return new PipelineCase(name, new JsonMapper().readTree(json.toFile()));
    } catch (IOException e) {
      throw new IllegalStateException(json.toString(), e);
    }
  }

  /** Names of all cases of a folder. */
  public static List<String> names(String folder) throws IOException {
    try (Stream<Path> files = Files.list(ReferenceModels.root().resolve("cases").resolve(folder))) {
      return files
          .map(p -> p.getFileName().toString())
          .filter(f -> f.endsWith(".json"))
          .map(f -> folder + "/" + f.substring(0, f.length() - 5))
          .sorted()
          .toList();
    }
  }

  /** The case's JSON. */
  public JsonNode spec() {
    return spec;
  }

  /** The model's folder. */
  public String model() {
    return ReferenceModels.root().resolve("models").resolve(spec.get("model").asText()).toString();
  }

  /** The scheduler that the case names; class names mean the model's own. */
  public SchedulerKind scheduler() {
    String s = spec.get("scheduler").asText();
    return s.endsWith("Scheduler") ? SchedulerKind.DEFAULT : SchedulerKind.ofCliName(s);
  }

  /** Options for loading the model. */
  public LoadOptions.Builder options() {
    return LoadOptions.builder()
        .device("cpu")
        .variant(ReferenceModels.variant(spec.get("model").asText()))
        .scheduler(scheduler());
  }

  /** Loads the pipeline. */
  public DistriPipeline pipeline(DistriConfig config, LoadOptions options) {
    return spec.get("model").asText().contains("sdxl")
        ? DistriSDXLPipeline.fromPretrained(config, model(), options)
        : DistriSDPipeline.fromPretrained(config, model(), options);
  }

  /** The request, with the case's noise or seed. */
  public GenerationRequest.Builder request() {
    GenerationRequest.Builder b =
        GenerationRequest.builder()
            .height(spec.get("height").asInt())
            .width(spec.get("width").asInt())
            .numImagesPerPrompt(spec.path("num_images_per_prompt").asInt(1))
            .guidanceScale(spec.get("guidance_scale").asDouble())
            .guidanceRescale(spec.path("guidance_rescale").asDouble(0))
            .eta(spec.path("eta").asDouble(0))
            .prompt(strings("prompt"))
            .prompt2(strings("prompt_2"))
            .negativePrompt(strings("negative_prompt"))
            .negativePrompt2(strings("negative_prompt_2"))
            .timesteps(numbers("timesteps_given"))
            .sigmas(numbers("sigmas"))
            .longPrompts(spec.path("long_prompts").asBoolean(false));
    if (spec.hasNonNull("num_inference_steps")) {
      b.numInferenceSteps(spec.get("num_inference_steps").asInt());
    }
    if (spec.hasNonNull("denoising_end")) {
      b.denoisingEnd(spec.get("denoising_end").asDouble());
    }
    if (spec.hasNonNull("clip_skip")) {
      b.clipSkip(spec.get("clip_skip").asInt());
    }
    if (spec.hasNonNull("original_size")) {
      b.originalSize(size("original_size"))
          .cropsCoordsTopLeft(size("crops_coords_top_left"))
          .targetSize(size("target_size"))
          .negativeOriginalSize(size("negative_original_size"))
          .negativeCropsCoordsTopLeft(size("negative_crops_coords_top_left"))
          .negativeTargetSize(size("negative_target_size"));
    }
    try (SafetensorsFile f = ReferenceModels.tensors(name)) {
      b.latents(optional(f, "latents_in"));
      NdArray given = optional(f, "prompt_embeds");
      if (given != null) {
        b.embeds(
            new PromptEmbeds(
                given,
                optional(f, "negative_prompt_embeds"),
                optional(f, "pooled_prompt_embeds"),
                optional(f, "negative_pooled_prompt_embeds")));
      }
    }
    return b.generators(generators());
  }

  private List<Generator> generators() {
    List<Double> seeds =
        spec.hasNonNull("seed") ? List.of(spec.get("seed").asDouble()) : numbers("seeds");
    return seeds.stream().map(x -> (Generator) new TorchGenerator(x.longValue())).toList();
  }

  /** Draws in float32 and rounds, as make/half.py does: in 16 bits torch draws other numbers. */
  private record FloatDraws(Generator floats) implements Generator {
    @Override
    public long initialSeed() {
      return floats.initialSeed();
    }

    @Override
    public float[] randn(DType dtype, long... shape) {
      float[] drawn = floats.randn(shape);
      for (int i = 0; i < drawn.length; i++) {
        drawn[i] =
            dtype == DType.F16
                ? HalfFloats.f16ToFloat(HalfFloats.floatToF16(drawn[i]))
                : HalfFloats.bf16ToFloat(HalfFloats.floatToBf16(drawn[i]));
      }
      return drawn;
    }
  }

  private static @Nullable NdArray optional(SafetensorsFile f, String tensor) {
    return f.has(tensor) ? ReferenceModels.array(f, tensor) : null;
  }

  /** A string or a list of them; none where the key is absent. */
  private List<String> strings(String key) {
    JsonNode n = spec.path(key);
    return n.isTextual() ? List.of(n.asText()) : n.valueStream().map(JsonNode::asText).toList();
  }

  private List<Double> numbers(String key) {
    return spec.path(key).valueStream().map(JsonNode::asDouble).toList();
  }

  private ImageSize size(String key) {
    return new ImageSize(spec.get(key).get(0).asInt(), spec.get(key).get(1).asInt());
  }

  /** The README's tolerance of final latents. */
  public double tolerance() {
    return Math.max(1e-2, 5 * spec.path("rounding").asDouble(0));
  }

  /** Runs the case and compares every step, the last latents and, where there are any, pictures. */
  public void check(DistriPipeline pipeline) {
    List<NdArray> steps = new ArrayList<>();
    PipelineOutput out = run(pipeline, request(), steps);
    compare(out, steps);
  }

  /** Runs the case and compares the last latents with what 16 bits allow. */
  public void check(DistriPipeline pipeline, HalfErrors limits) {
    GenerationRequest.Builder request = request();
    request.generators(generators().stream().map(g -> (Generator) new FloatDraws(g)).toList());
    PipelineOutput out = run(pipeline, request, new ArrayList<>());
    try (SafetensorsFile f = ReferenceModels.tensors(name)) {
      limits.assertWithin(name + HALF_SUFFIX, ReferenceModels.array(f, LATENTS), out.latents());
    }
  }

  /** Runs the case as diffusers did; the latents after each step are added to the list. */
  private PipelineOutput run(
      DistriPipeline pipeline, GenerationRequest.Builder request, List<NdArray> steps) {
    for (JsonNode setting : spec.path("vae")) {
      switch (setting.asText()) {
        case "enable_tiling" -> pipeline.vae().enableTiling();
        case "enable_slicing" -> pipeline.enableVaeSlicing();
        default -> throw new IllegalStateException(setting.asText());
      }
    }
    Map<String, NdArray> others = replacements();
    StepCallback callback =
        s -> {
          steps.add(s.latents());
          if (s.step() == spec.path("replace_after_step").asInt(-1)) {
            others.forEach(s::replace);
          }
        };
    return pipeline.generate(request.callbackOnStepEnd(callback).build());
  }

  /** What the case's callback replaces, by name. */
  private Map<String, NdArray> replacements() {
    String prefix = "replace.";
    Map<String, NdArray> out = new LinkedHashMap<>();
    try (SafetensorsFile f = ReferenceModels.tensors(name)) {
      f.names().stream()
          .filter(n -> n.startsWith(prefix))
          .forEach(n -> out.put(n.substring(prefix.length()), ReferenceModels.array(f, n)));
    }
    return out;
  }

  /** Compares with the case. */
  public void compare(PipelineOutput out, List<NdArray> steps) {
    try (SafetensorsFile f = ReferenceModels.tensors(name)) {
      NdArray expectedSteps = ReferenceModels.array(f, "steps");
      assertEquals(expectedSteps.size(0), steps.size(), name + ": number of steps");
      int n = steps.get(0).data().length;
      for (int i = 0; i < steps.size(); i++) {
        float[] e = new float[n];
        System.arraycopy(expectedSteps.data(), i * n, e, 0, n);
        near(name + ": step " + i, e, steps.get(i).data(), tolerance());
      }
      near(
          name + ": latents",
          ReferenceModels.array(f, LATENTS).data(),
          out.latents().data(),
          tolerance());
      if (f.has("image_u8") && !out.images().isEmpty()) {
        images(f.get("image_u8"), out.images());
      }
    }
  }

  private void images(WeightTensor expected, List<GeneratedImage> images) {
    byte[] all = new byte[Math.toIntExact(expected.shape().elements())];
    expected.data().get(all);
    assertEquals(expected.shape().size(0), images.size(), name + ": number of images");
    int at = 0;
    int worst = 0;
    for (GeneratedImage image : images) {
      assertEquals(expected.shape().size(1), image.height());
      assertEquals(expected.shape().size(2), image.width());
      for (byte b : image.rgb()) {
        worst = Math.max(worst, Math.abs((b & 0xff) - (all[at++] & 0xff)));
      }
    }
    assertTrue(worst <= 2, name + ": a pixel is off by " + worst + " levels");
  }

  private static void near(String what, float[] expected, float[] actual, double tolerance) {
    assertEquals(expected.length, actual.length, what);
    double worst = 0;
    int at = 0;
    for (int i = 0; i < expected.length; i++) {
      double d = Math.abs((double) expected[i] - actual[i]);
      if (!(d <= worst)) {
        worst = d;
        at = i;
      }
    }
    assertTrue(
        worst <= tolerance,
        what
            + ": off by "
            + worst
            + " (allowed "
            + tolerance
            + ") at index "
            + at
            + ": expected "
            + expected[at]
            + ", found "
            + actual[at]);
  }
}
