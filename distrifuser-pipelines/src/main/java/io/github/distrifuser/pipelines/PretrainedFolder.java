package io.github.distrifuser.pipelines;

import io.github.distrifuser.schedulers.SchedulerConfig;
import io.github.distrifuser.weights.AtomicFiles;
import io.github.distrifuser.weights.ModelConfig;
import io.github.distrifuser.weights.ModelFolder;
import io.github.distrifuser.weights.WeightsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Writes a model as a folder that diffusers and this library read. */
final class PretrainedFolder {
  private static final List<String> TOKENIZER_FILES =
      List.of(
          "vocab.json",
          "merges.txt",
          "tokenizer_config.json",
          "special_tokens_map.json",
          "added_tokens.json",
          "tokenizer.json");

  private final ModelFolder from;
  private final @Nullable String variant;
  private final ModelConfig index;

  private PretrainedFolder(ModelFolder from, @Nullable String variant, ModelConfig index) {
    this.from = from;
    this.variant = variant;
    this.index = index;
  }

  /**
   * Writes one.
   *
   * @param variant the weights' variant in the source; the plain files of the new folder
   * @throws IllegalArgumentException for a model of random weights
   * @throws WeightsException naming the folder that cannot be written
   */
  static void write(
      ModelSource source,
      @Nullable String variant,
      ModelConfig index,
      SchedulerConfig scheduler,
      Path target) {
    if (source.isRandom()) {
      throw new IllegalArgumentException(
          source.name() + " has random weights and no files: it cannot be saved");
    }
    PretrainedFolder f = new PretrainedFolder(source.folder(), variant, index);
    try {
      AtomicFiles.writeFolder(target, to -> f.fill(to, scheduler));
    } catch (IOException e) {
      throw new WeightsException(target.toString(), String.valueOf(e.getMessage()), e);
    }
  }

  private void fill(Path to, SchedulerConfig scheduler) throws IOException {
    Map<String, @Nullable Object> changed = new LinkedHashMap<>();
    changed.put("scheduler", List.of("diffusers", scheduler.className()));
    for (String key : index.keys()) {
      if (!key.startsWith("_") && index.toMap().get(key) instanceof List<?> && !saved(key, to)) {
        changed.put(key, Arrays.asList(null, null));
      }
    }
    if (index.keys().contains("requires_safety_checker")) {
      changed.put("requires_safety_checker", false);
    }
    Files.write(to.resolve("model_index.json"), index.with(changed).toBytes());

    Path folder = Files.createDirectories(to.resolve("scheduler"));
    Map<String, @Nullable Object> settings = new LinkedHashMap<>(scheduler.given());
    scheduler
        .values()
        .forEach(
            (key, value) -> {
              if (value != null) { // one that nobody gave: diffusers' default may be an empty list
                settings.put(key, value);
              }
            });
    Files.write(
        folder.resolve("scheduler_config.json"),
        ModelConfig.of("scheduler/scheduler_config.json", settings).toBytes());
  }

  /** Writes a component; false for one that no pipeline here has, as the safety checker. */
  private boolean saved(String key, Path to) throws IOException {
    if (key.equals("scheduler")) {
      return true;
    }
    if (index.componentClass(key) == null) {
      return false;
    }
    switch (key) {
      case "unet", "vae" -> model(key, "diffusion_pytorch_model", to);
      case "text_encoder", "text_encoder_2" -> model(key, "model", to);
      case "tokenizer", "tokenizer_2" -> {
        Path folder = Files.createDirectories(to.resolve(key));
        for (String file : TOKENIZER_FILES) {
          if (from.exists(key + "/" + file)) {
            from.copy(key + "/" + file, folder.resolve(file));
          }
        }
      }
      default -> {
        return false;
      }
    }
    return true;
  }

  private void model(String component, String base, Path to) throws IOException {
    Path folder = Files.createDirectories(to.resolve(component));
    from.copy(component + "/config.json", folder.resolve("config.json"));
    for (String file : from.weightFiles(component, base, variant)) {
      String name = file.substring(component.length() + 1);
      if (name.endsWith(".safetensors")) {
        from.copy(file, folder.resolve(plain(name)));
      } else {
        ModelConfig shards = from.readConfig(file);
        Map<String, @Nullable Object> renamed = new LinkedHashMap<>();
        ModelConfig map = shards.optionalSection("weight_map");
        if (map == null) {
          throw new WeightsException(file, "weight_map", "missing");
        }
        map.keys().forEach(k -> renamed.put(k, plain(map.getString(k))));
        Files.write(
            folder.resolve(base + ".safetensors.index.json"),
            shards.with(Map.of("weight_map", renamed)).toBytes());
      }
    }
  }

  /** A file's name without the variant. */
  private String plain(String name) {
    return variant == null ? name : name.replace("." + variant, "");
  }
}
