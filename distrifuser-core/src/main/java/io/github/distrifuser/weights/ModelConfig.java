package io.github.distrifuser.weights;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeType;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A model's JSON settings: {@code config.json}, {@code scheduler_config.json}, {@code
 * model_index.json}.
 *
 * <p>A key whose value is null counts as absent: {@code get(key)} fails, {@code get(key, default)}
 * gives the default, {@code optional...} gives null. A value of another type is a {@link
 * WeightsException} that names file and key. Numbers may be {@code Infinity} and {@code -Infinity},
 * which Python writes. Immutable, save for the memory of which keys were asked for.
 */
public final class ModelConfig {
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .disable(JsonWriteFeature.WRITE_NAN_AS_STRINGS)
          .build();

  private final String source;
  private final ObjectNode root;
  private final Set<String> seen = ConcurrentHashMap.newKeySet();

  private ModelConfig(String source, ObjectNode root) {
    this.source = source;
    this.root = root;
  }

  /**
   * Parses a file.
   *
   * @param source what messages call it, as in {@code unet/config.json}
   * @throws WeightsException if it is not one JSON object
   */
  public static ModelConfig parse(String source, byte[] json) {
    JsonNode root;
    try {
      root = JSON.readTree(json);
    } catch (JsonProcessingException e) {
      String where = e.getLocation() == null ? "" : " (line " + e.getLocation().getLineNr() + ")";
      throw new WeightsException(
          source, "not valid JSON: %s%s".formatted(e.getOriginalMessage(), where), e);
    } catch (IOException e) {
      throw new WeightsException(source, "cannot be read: " + e.getMessage(), e);
    }
    if (!(root instanceof ObjectNode object)) {
      throw new WeightsException(source, "expected a JSON object, found " + show(root));
    }
    return new ModelConfig(source, object);
  }

  /**
   * Settings that come from code.
   *
   * @param source what messages call them
   * @param values numbers, strings, booleans, lists and maps of them, null
   */
  public static ModelConfig of(String source, Map<String, ? extends @Nullable Object> values) {
    ObjectNode node = JSON.createObjectNode();
    values.forEach((k, v) -> node.set(k, JSON.valueToTree(v)));
    return new ModelConfig(source, node);
  }

  /** A copy in which these values replace the ones of the same keys. */
  public ModelConfig with(Map<String, ? extends @Nullable Object> values) {
    ObjectNode node = root.deepCopy();
    values.forEach((k, v) -> node.set(k, JSON.valueToTree(v)));
    return new ModelConfig(source, node);
  }

  /** What messages call these settings. */
  public String source() {
    return source;
  }

  /** All keys, in the file's order, those with null values included. */
  public Set<String> keys() {
    Set<String> out = new LinkedHashSet<>();
    root.fieldNames().forEachRemaining(out::add);
    return Collections.unmodifiableSet(out);
  }

  /** True if the key is there with a value other than null. Does not count as asking for it. */
  public boolean has(String key) {
    return root.hasNonNull(key);
  }

  /**
   * Keys that nobody asked for, in the file's order; not those that begin with an underscore, which
   * describe the file.
   */
  public Set<String> unused() {
    return keys().stream()
        .filter(k -> !k.startsWith("_") && !seen.contains(k))
        .collect(Collectors.toCollection(LinkedHashSet::new));
  }

  /** All values as Java's own: numbers, strings, booleans, lists, maps, null; keys in order. */
  public Map<String, @Nullable Object> toMap() {
    return JSON.convertValue(root, new TypeReference<LinkedHashMap<String, @Nullable Object>>() {});
  }

  /** As a JSON file; infinities as Python writes them. */
  public byte[] toBytes() {
    try {
      return JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(root);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(source, e);
    }
  }

  // --- single values ---

  public int getInt(String key) {
    return required(key, "an integer", optionalInt(key));
  }

  public int getInt(String key, int otherwise) {
    Integer v = optionalInt(key);
    return v == null ? otherwise : v;
  }

  public @Nullable Integer optionalInt(String key) {
    return value(key, "an integer", ModelConfig::isInt, JsonNode::intValue);
  }

  public double getDouble(String key) {
    return required(key, "a number", optionalDouble(key));
  }

  public double getDouble(String key, double otherwise) {
    Double v = optionalDouble(key);
    return v == null ? otherwise : v;
  }

  /** A number other than NaN, or null. */
  public @Nullable Double optionalDouble(String key) {
    return value(key, "a number", ModelConfig::isDouble, JsonNode::doubleValue);
  }

  public float getFloat(String key) {
    return (float) getDouble(key);
  }

  public float getFloat(String key, float otherwise) {
    return (float) getDouble(key, otherwise);
  }

  public boolean getBoolean(String key) {
    return required(key, "true or false", optionalBoolean(key));
  }

  public boolean getBoolean(String key, boolean otherwise) {
    Boolean v = optionalBoolean(key);
    return v == null ? otherwise : v;
  }

  public @Nullable Boolean optionalBoolean(String key) {
    return value(key, "true or false", JsonNode::isBoolean, JsonNode::booleanValue);
  }

  public String getString(String key) {
    return required(key, "a string", optionalString(key));
  }

  public String getString(String key, String otherwise) {
    String v = optionalString(key);
    return v == null ? otherwise : v;
  }

  public @Nullable String optionalString(String key) {
    return value(key, "a string", JsonNode::isTextual, JsonNode::textValue);
  }

  /**
   * A name out of a closed set.
   *
   * @param otherwise where the key is absent
   * @param choices all that is allowed
   */
  public String getChoice(String key, String otherwise, List<String> choices) {
    String v = getString(key, otherwise);
    if (has(key) && !choices.contains(v)) {
      throw error(key, "one of " + String.join(", ", choices));
    }
    return v;
  }

  /**
   * Refuses what the program does not implement: the value must be absent, null or one of these.
   *
   * @param supported integers, doubles, booleans, strings
   */
  public void supportOnly(String key, Object... supported) {
    seen.add(key);
    JsonNode n = root.path(key);
    boolean fine =
        !has(key)
            || Arrays.stream(supported)
                .anyMatch(
                    s ->
                        s instanceof Number x
                            ? n.isNumber() && n.doubleValue() == x.doubleValue()
                            : JSON.valueToTree(s).equals(n));
    if (!fine) {
      String or =
          Arrays.stream(supported)
              .map(s -> " or " + JSON.valueToTree(s))
              .collect(Collectors.joining());
      throw error(key, "null%s, as nothing else is supported".formatted(or));
    }
  }

  // --- lists ---

  public List<Integer> getInts(String key) {
    return required(key, "a list of integers", optionalInts(key));
  }

  public @Nullable List<Integer> optionalInts(String key) {
    return list(key, "a list of integers", ModelConfig::isInt, JsonNode::intValue);
  }

  /**
   * One integer for all, or a list of one each, as diffusers has {@code layers_per_block}.
   *
   * @param n number of values
   * @throws WeightsException also if the list has another length
   */
  public List<Integer> getInts(String key, int n) {
    return required(key, "an integer or a list of " + n, optionalInts(key, n));
  }

  /** As {@link #getInts(String, int)}, or n times this where the key is absent. */
  public List<Integer> getInts(String key, int n, int otherwise) {
    List<Integer> v = optionalInts(key, n);
    return v == null ? Collections.nCopies(n, otherwise) : v;
  }

  /** As {@link #getInts(String, int)}, or null. */
  public @Nullable List<Integer> optionalInts(String key, int n) {
    return spread(key, n, "an integer or a list of %d", ModelConfig::isInt, JsonNode::intValue);
  }

  /** One truth value for all, or a list of n; n times the other where the key is absent. */
  public List<Boolean> getBooleans(String key, int n, boolean otherwise) {
    List<Boolean> v =
        spread(key, n, "true, false or a list of %d", JsonNode::isBoolean, JsonNode::booleanValue);
    return v == null ? Collections.nCopies(n, otherwise) : v;
  }

  public @Nullable List<Double> optionalDoubles(String key) {
    return list(key, "a list of numbers", ModelConfig::isDouble, JsonNode::doubleValue);
  }

  public List<String> getStrings(String key) {
    return required(key, "a list of strings", optionalStrings(key));
  }

  public @Nullable List<String> optionalStrings(String key) {
    return list(key, "a list of strings", JsonNode::isTextual, JsonNode::textValue);
  }

  // --- objects ---

  /** The object under a key, or null. Messages call it {@code source: key}. */
  public @Nullable ModelConfig optionalSection(String key) {
    return value(
        key,
        "an object",
        JsonNode::isObject,
        n -> new ModelConfig(source + ": " + WeightsException.shorten(key), (ObjectNode) n));
  }

  /**
   * Class of a component in {@code model_index.json}, where it is written as {@code ["diffusers",
   * "UNet2DConditionModel"]}.
   *
   * @return the class's name without its library, or null where the component is absent or {@code
   *     [null, null]}
   */
  public @Nullable String componentClass(String key) {
    String expected = "[library, class]";
    JsonNode pair = value(key, expected, n -> n.isArray() && n.size() == 2, Function.identity());
    if (pair == null || pair.get(1).isNull()) {
      return null;
    }
    if (!pair.get(1).isTextual()) {
      throw error(key, expected);
    }
    return pair.get(1).textValue();
  }

  /** {@link #source()}. */
  @Override
  public String toString() {
    return source;
  }

  // --- how it is done ---

  private <T> @Nullable T value(
      String key, String expected, Predicate<JsonNode> fits, Function<JsonNode, T> as) {
    seen.add(key);
    JsonNode n = root.get(key);
    if (n == null || n.isNull()) {
      return null;
    }
    if (!fits.test(n)) {
      throw error(key, expected);
    }
    return as.apply(n);
  }

  private <T> @Nullable List<T> list(
      String key, String expected, Predicate<JsonNode> fits, Function<JsonNode, T> as) {
    return value(
        key,
        expected,
        n -> n.isArray() && n.valueStream().allMatch(fits),
        n -> {
          List<T> out = new ArrayList<>();
          n.forEach(e -> out.add(as.apply(e)));
          return Collections.unmodifiableList(out);
        });
  }

  private <T> @Nullable List<T> spread(
      String key, int n, String expected, Predicate<JsonNode> fits, Function<JsonNode, T> as) {
    JsonNode v = root.get(key);
    String what = expected.formatted(n);
    if (v == null || !v.isArray()) {
      T one = value(key, what, fits, as);
      return one == null ? null : Collections.nCopies(n, one);
    }
    List<T> all = list(key, what, fits, as);
    if (all == null || all.size() != n) {
      throw error(key, what);
    }
    return all;
  }

  private <T> T required(String key, String expected, @Nullable T value) {
    if (value == null) {
      throw error(key, expected);
    }
    return value;
  }

  private WeightsException error(String key, String expected) {
    JsonNode n = root.get(key);
    return new WeightsException(
        source,
        key,
        "expected %s, found %s".formatted(expected, n == null ? "no such key" : show(n)));
  }

  private static String show(JsonNode n) {
    return n.getNodeType() == JsonNodeType.MISSING
        ? "nothing"
        : WeightsException.shorten(n.toString());
  }

  private static boolean isInt(JsonNode n) {
    return n.isIntegralNumber() && n.canConvertToInt();
  }

  private static boolean isDouble(JsonNode n) {
    return n.isNumber() && !Double.isNaN(n.doubleValue());
  }
}
