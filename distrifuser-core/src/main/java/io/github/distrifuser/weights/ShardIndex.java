package io.github.distrifuser.weights;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * A {@code *.safetensors.index.json}: which shard holds which tensor.
 *
 * @param source the index file, as messages call it
 * @param weightMap tensor name to the shard's file name, in the index's folder
 */
public record ShardIndex(String source, Map<String, String> weightMap) {
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  public ShardIndex {
    weightMap = Collections.unmodifiableMap(new LinkedHashMap<>(weightMap));
  }

  /**
   * Reads an index.
   *
   * @param source what messages call it
   * @throws WeightsException if it is malformed or empty, or names a shard that is not a plain file
   *     name ending in {@code .safetensors}
   */
  public static ShardIndex parse(String source, byte[] json) {
    JsonNode root;
    try {
      root = JSON.readTree(json);
    } catch (JsonProcessingException e) {
      throw new WeightsException(source, "not valid JSON: " + e.getOriginalMessage(), e);
    } catch (IOException e) {
      throw new WeightsException(source, "cannot be read: " + e.getMessage(), e);
    }
    JsonNode map = root.path("weight_map");
    if (!map.isObject()) {
      throw new WeightsException(source, "weight_map", "expected an object");
    }
    if (map.isEmpty()) {
      throw new WeightsException(source, "weight_map", "is empty");
    }
    Map<String, String> out = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> e : map.properties()) {
      if (!e.getValue().isTextual()) {
        throw new WeightsException(
            source,
            e.getKey(),
            "expected a shard's file name, found a " + e.getValue().getNodeType());
      }
      out.put(e.getKey(), checked(source, e.getKey(), e.getValue().textValue()));
    }
    return new ShardIndex(source, out);
  }

  private static String checked(String source, String tensor, String shard) {
    String found = "found '" + WeightsException.shorten(shard) + "'";
    if (shard.contains("/") || shard.contains("\\") || shard.startsWith(".")) {
      throw new WeightsException(
          source, tensor, "expected a shard in the index's own folder, " + found);
    }
    if (!shard.endsWith(".safetensors") || shard.chars().anyMatch(Character::isISOControl)) {
      throw new WeightsException(
          source, tensor, "only safetensors are read: expected NAME.safetensors, " + found);
    }
    return shard;
  }

  /** The shards' file names, sorted. */
  public Set<String> shards() {
    return new TreeSet<>(weightMap.values());
  }

  /**
   * Opens every shard once and joins them. Tensors that a shard holds and the index does not name
   * are there too, so that they can be reported as unused.
   *
   * @param opener opens the shard of a file name
   * @throws WeightsException if a shard is missing or malformed, or lacks a tensor that the index
   *     says it has
   */
  public StateDict open(Function<String, SafetensorsFile> opener) {
    Map<String, SafetensorsFile> files = new LinkedHashMap<>();
    boolean done = false;
    try {
      for (String shard : shards()) {
        files.put(shard, opener.apply(shard));
      }
      StateDict.Builder b = new StateDict.Builder(source);
      weightMap.forEach(
          (name, shard) -> {
            SafetensorsFile file = files.get(shard);
            if (file == null || !file.has(name)) {
              throw new WeightsException(
                  source, name, "the index says it is in %s, which lacks it".formatted(shard));
            }
            b.add(file, name);
          });
      for (SafetensorsFile file : files.values()) {
        b.own(file);
        file.names().stream().filter(n -> !weightMap.containsKey(n)).forEach(n -> b.add(file, n));
      }
      StateDict dict = b.build();
      done = true;
      return dict;
    } finally {
      if (!done) {
        files.values().forEach(SafetensorsFile::close);
      }
    }
  }
}
