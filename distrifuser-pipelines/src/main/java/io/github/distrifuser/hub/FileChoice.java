package io.github.distrifuser.hub;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which of a repository's files a pipeline needs: diffusers' choice. Components are those of
 * model_index.json; of weights only safetensors, of the variant where a component has it, else the
 * plain ones, with their indexes; everything of tokenizers and schedulers that is no weights of
 * another format. The components that no pipeline here has a use for are left out, as diffusers
 * leaves out what is passed as None.
 */
final class FileChoice {
  private static final Logger LOG = LoggerFactory.getLogger(FileChoice.class);

  static final String INDEX = "model_index.json";

  private static final Set<String> UNUSED = Set.of("safety_checker", "image_encoder");
  private static final Pattern OTHER_FORMATS =
      Pattern.compile(
          ".*\\.(bin|msgpack|onnx|onnx_data|pb|ckpt|pt|pth|h5|gguf|py)(\\.index\\..*json)?");
  private static final String NAMES = "(diffusion_pytorch_model|model|pytorch_model|weights)";
  private static final String SHARD = "\\d{5}-of-\\d{5}";
  private static final Pattern PLAIN =
      Pattern.compile(NAMES + "(-" + SHARD + ")?\\.safetensors(\\.index\\.json)?");
  private static final Pattern WEIGHTS = Pattern.compile(".*\\.(safetensors|bin)");

  private final String source;
  private final List<String> components = new ArrayList<>();
  private final List<String> models = new ArrayList<>();

  private FileChoice(String source, JsonNode index) {
    this.source = source;
    for (Map.Entry<String, JsonNode> e : index.properties()) {
      JsonNode v = e.getValue();
      boolean isComponent = v.isArray() && v.size() == 2 && v.get(1).isTextual();
      if (!isComponent || e.getKey().startsWith("_") || UNUSED.contains(e.getKey())) {
        continue;
      }
      components.add(e.getKey());
      String type = v.get(1).textValue();
      boolean noWeights =
          type.contains("Scheduler")
              || type.contains("Tokenizer")
              || type.contains("Processor")
              || type.contains("Extractor");
      if (!noWeights) {
        models.add(e.getKey());
      }
    }
  }

  /**
   * Reads a model_index.json.
   *
   * @param source what messages call it
   * @throws HubException where it is none
   */
  static FileChoice of(String source, byte[] modelIndex) {
    JsonNode root;
    try {
      root = new JsonMapper().readTree(modelIndex);
    } catch (JacksonException e) {
      throw unsupported(source + ": not valid JSON: " + e.getOriginalMessage(), e);
    } catch (IOException e) {
      throw unsupported(source + ": cannot be read: " + e.getMessage(), e);
    }
    if (root == null || !root.isObject() || !root.path("_class_name").isTextual()) {
      throw unsupported(source + ": names no pipeline (_class_name)", null);
    }
    return new FileChoice(source, root);
  }

  private static HubException unsupported(String message, @Nullable Exception cause) {
    return new HubException(HubException.Reason.UNSUPPORTED, message, cause);
  }

  /**
   * Chooses.
   *
   * @param files all of the repository's, with slashes
   * @param variant as in {@code fp16}, or null
   * @throws HubException where a model has no safetensors
   */
  Set<String> choose(Collection<String> files, @Nullable String variant) {
    Map<String, Set<String>> byFolder = new LinkedHashMap<>();
    for (String f : files) {
      int slash = f.indexOf('/');
      byFolder
          .computeIfAbsent(slash < 0 ? "" : f.substring(0, slash), k -> new TreeSet<>())
          .add(f.substring(slash + 1));
    }
    Set<String> chosen = new TreeSet<>();
    for (String f : List.of(INDEX, "scheduler_config.json", "config.json")) {
      if (files.contains(f)) {
        chosen.add(f);
      }
    }
    List<String> plain = new ArrayList<>();
    for (String component : components) {
      Set<String> all = byFolder.getOrDefault(component, Set.of());
      for (String f : models.contains(component) ? ofModel(component, all, variant, plain) : all) {
        if (!OTHER_FORMATS.matcher(f).matches()) {
          chosen.add(component + "/" + f);
        }
      }
    }
    if (!plain.isEmpty()) {
      LOG.warn(
          "{}: no variant '{}' of {}: the plain weights are used",
          source,
          variant,
          String.join(", ", plain));
    }
    return chosen;
  }

  private Set<String> ofModel(
      String component, Set<String> all, @Nullable String variant, List<String> plain) {
    Set<String> chosen = new TreeSet<>();
    if (variant != null) {
      chosen.addAll(matching(all, variantNames(variant)));
      if (chosen.stream().noneMatch(f -> f.endsWith(".safetensors"))) {
        chosen.clear();
        chosen.addAll(matching(all, olderVariantNames(variant)));
      }
      if (chosen.stream().noneMatch(f -> f.endsWith(".safetensors"))) {
        chosen.clear();
        plain.add(component);
      }
    }
    if (chosen.isEmpty()) {
      chosen.addAll(matching(all, PLAIN));
    }
    if (chosen.isEmpty()) {
      List<String> found = all.stream().filter(f -> WEIGHTS.matcher(f).matches()).toList();
      throw unsupported(
          source
              + ": "
              + component
              + " has no safetensors weights"
              + (variant == null ? "" : ", neither of the variant '" + variant + "' nor plain ones")
              + (found.isEmpty() ? "" : "; found " + String.join(", ", found))
              + "; only safetensors are read",
          null);
    }
    if (all.contains("config.json")) {
      chosen.add("config.json");
    }
    return chosen;
  }

  /** {@code model.fp16.safetensors}, {@code model.fp16-00001-of-00002.safetensors}, index. */
  private static Pattern variantNames(String variant) {
    String v = Pattern.quote(variant);
    return Pattern.compile(
        NAMES
            + "\\."
            + v
            + "(-"
            + SHARD
            + ")?\\.safetensors|"
            + NAMES
            + "\\.safetensors\\.index\\."
            + v
            + "\\.json");
  }

  /** {@code model-00001-of-00002.fp16.safetensors} and its index. */
  private static Pattern olderVariantNames(String variant) {
    String v = Pattern.quote(variant);
    return Pattern.compile(
        ".*-"
            + SHARD
            + "\\."
            + v
            + "\\.safetensors|"
            + NAMES
            + "\\.safetensors\\."
            + v
            + "\\.index\\.json");
  }

  private static Set<String> matching(Set<String> all, Pattern pattern) {
    Set<String> out = new TreeSet<>(all);
    out.removeIf(f -> !pattern.matcher(f).matches());
    return out;
  }

  /**
   * What a snapshot on disk lacks to be loaded; null where nothing is seen to lack.
   *
   * @param shards of the indexes that are there
   */
  @Nullable String missing(Set<String> files, Set<String> shards) {
    for (String component : components) {
      boolean model = models.contains(component);
      if (model && !files.contains(component + "/config.json")) {
        return component + "/config.json";
      }
      boolean needed = !component.equals("feature_extractor");
      if (needed && files.stream().noneMatch(f -> f.startsWith(component + "/"))) {
        return component + "/";
      }
      if (model && files.stream().noneMatch(f -> isWeights(component, f))) {
        return component + "/*.safetensors";
      }
    }
    return shards.stream().filter(s -> !files.contains(s)).findFirst().orElse(null);
  }

  private static boolean isWeights(String component, String file) {
    return file.startsWith(component + "/") && file.endsWith(".safetensors");
  }
}
