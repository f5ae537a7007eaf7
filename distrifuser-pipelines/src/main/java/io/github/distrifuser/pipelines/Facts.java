package io.github.distrifuser.pipelines;

import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.random.Generator;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.weights.StateDict;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** What ranks that are processes must agree on, in words. */
final class Facts {
  /** Bytes of each tensor that its checksum covers: all of them would take minutes. */
  private static final int SAMPLE = 1024;

  private Facts() {}

  /** Of a model and how it is divided. */
  static Map<String, String> ofModel(
      ModelSource source, DistriConfig config, LoadOptions options, DType dtype) {
    Map<String, String> f = new LinkedHashMap<>();
    f.put("model", checksum(source, options.variant()));
    f.put("dtype", dtype.torchName());
    f.put("scheduler", options.scheduler().toString());
    f.put("parallelism", config.parallelism().optionName());
    f.put("sync_mode", config.mode().optionName());
    f.put("split_scheme", config.splitScheme().optionName());
    f.put("split_batch", String.valueOf(config.splitBatch()));
    f.put("warmup_steps", String.valueOf(config.warmupSteps()));
    f.put("comm_checkpoint", String.valueOf(config.commCheckpoint()));
    f.put("height", String.valueOf(config.height()));
    f.put("width", String.valueOf(config.width()));
    return f;
  }

  /** Of a call. */
  static Map<String, String> ofRequest(GenerationRequest r, int height, int width) {
    Map<String, String> f = new LinkedHashMap<>();
    f.put("height", String.valueOf(height));
    f.put("width", String.valueOf(width));
    f.put("prompt", r.prompt().toString());
    f.put("prompt_2", r.prompt2().toString());
    f.put("negative_prompt", r.negativePrompt().toString());
    f.put("negative_prompt_2", r.negativePrompt2().toString());
    f.put("num_inference_steps", String.valueOf(r.numInferenceSteps()));
    f.put("guidance_scale", String.valueOf(r.guidanceScale()));
    f.put("guidance_rescale", String.valueOf(r.guidanceRescale()));
    f.put("denoising_end", String.valueOf(r.denoisingEnd()));
    f.put("num_images_per_prompt", String.valueOf(r.numImagesPerPrompt()));
    f.put("eta", String.valueOf(r.eta()));
    f.put("clip_skip", String.valueOf(r.clipSkip()));
    f.put("long_prompts", String.valueOf(r.longPrompts()));
    f.put("timesteps", r.timesteps().toString());
    f.put("sigmas", r.sigmas().toString());
    f.put("seed", r.generators().stream().map(Generator::initialSeed).toList().toString());
    f.put("latents", checksum(r.latents()));
    f.put(
        "size conditioning",
        List.of(
                String.valueOf(r.originalSize()),
                String.valueOf(r.cropsCoordsTopLeft()),
                String.valueOf(r.targetSize()),
                String.valueOf(r.negativeOriginalSize()),
                String.valueOf(r.negativeCropsCoordsTopLeft()),
                String.valueOf(r.negativeTargetSize()))
            .toString());
    return f;
  }

  /** Over names, types, shapes and the beginnings of all of the UNet's tensors. */
  private static String checksum(ModelSource source, @Nullable String variant) {
    if (source.isRandom()) {
      return source.name();
    }
    MessageDigest d = digest();
    d.update(source.folder().readBytes("unet/config.json"));
    try (StateDict dict = source.weights("unet", "diffusion_pytorch_model", variant)) {
      for (String name : new TreeSet<>(dict.names())) {
        WeightTensor t = dict.get(name);
        d.update((name + t.dtype() + t.shape()).getBytes(StandardCharsets.UTF_8));
        ByteBuffer data = t.data();
        d.update(data.slice(data.position(), Math.min(SAMPLE, data.remaining())));
      }
    }
    return HexFormat.of().formatHex(d.digest()).substring(0, 16);
  }

  private static String checksum(@Nullable NdArray array) {
    if (array == null) {
      return "none";
    }
    MessageDigest d = digest();
    ByteBuffer b = ByteBuffer.allocate(4 * array.data().length);
    b.asFloatBuffer().put(array.data());
    d.update(b);
    return array.shape() + " " + HexFormat.of().formatHex(d.digest()).substring(0, 16);
  }

  private static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every JDK has it
    }
  }
}
