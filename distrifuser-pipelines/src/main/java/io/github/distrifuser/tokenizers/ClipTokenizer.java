package io.github.distrifuser.tokenizers;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import io.github.distrifuser.weights.ModelConfig;
import io.github.distrifuser.weights.ModelFolder;
import io.github.distrifuser.weights.WeightsException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * transformers' fast CLIPTokenizer: text to the fixed number of token ids that a text encoder
 * takes. Thread-safe.
 */
public final class ClipTokenizer implements AutoCloseable {
  static {
    // DJL reports its use over the network unless told not to, and looks for GPUs that
    // tokenizers have no use for.
    setIfAbsent("OPT_OUT_TRACKING", "true");
    setIfAbsent("RUST_FLAVOR", "cpu");
  }

  private final HuggingFaceTokenizer tokenizer;
  private final int modelMaxLength;
  private final int bos;
  private final int eos;
  private final int pad;

  private ClipTokenizer(
      HuggingFaceTokenizer tokenizer, int modelMaxLength, int bos, int eos, int pad) {
    this.tokenizer = tokenizer;
    this.modelMaxLength = modelMaxLength;
    this.bos = bos;
    this.eos = eos;
    this.pad = pad;
  }

  private static void setIfAbsent(String property, String value) {
    if (System.getenv(property) == null && System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }

  /**
   * An encoded prompt.
   *
   * @param ids {@link #modelMaxLength()} ids: begin, the prompt's, end, padding
   * @param removed the end of the prompt that found no room, as text; null where all did
   */
  public record Encoded(int[] ids, @Nullable String removed) {
    @Override
    public boolean equals(@Nullable Object o) {
      return o instanceof Encoded e
          && Arrays.equals(ids, e.ids)
          && Objects.equals(removed, e.removed);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(ids);
    }

    @Override
    public String toString() {
      return Arrays.toString(ids) + (removed == null ? "" : " without '" + removed + "'");
    }
  }

  /**
   * Loads a tokenizer from vocab.json and merges.txt, or tokenizer.json where these are missing,
   * and from tokenizer_config.json and special_tokens_map.json.
   *
   * @param component folder within the model, as in {@code tokenizer_2}
   * @throws WeightsException naming the file that is missing or malformed
   */
  public static ClipTokenizer load(ModelFolder folder, String component) {
    ModelConfig config = folder.readConfig(component + "/tokenizer_config.json");
    ModelConfig special =
        folder.exists(component + "/special_tokens_map.json")
            ? folder.readConfig(component + "/special_tokens_map.json")
            : config;
    ClipVocabulary vocabulary = ClipVocabulary.load(folder, component);
    Map<String, Integer> ids = new LinkedHashMap<>();
    String bos = token(special, config, "bos_token", "<|startoftext|>", vocabulary, ids);
    String eos = token(special, config, "eos_token", "<|endoftext|>", vocabulary, ids);
    String unknown = token(special, config, "unk_token", eos, vocabulary, ids);
    String pad = token(special, config, "pad_token", eos, vocabulary, ids);
    byte[] json = ClipTokenizerJson.describe(vocabulary, bos, eos, unknown, ids);
    int length = config.getInt("model_max_length", 77);
    if (length < 2) {
      throw new WeightsException(config.source(), "model_max_length: too short: " + length);
    }
    return new ClipTokenizer(
        open(component, json), length, id(ids, bos), id(ids, eos), id(ids, pad));
  }

  private static int id(Map<String, Integer> ids, String token) {
    Integer id = ids.get(token);
    if (id == null) {
      throw new IllegalStateException(token);
    }
    return id;
  }

  /** A special token's text: written as a string or as an object with its content. */
  private static String token(
      ModelConfig special,
      ModelConfig config,
      String key,
      String otherwise,
      ClipVocabulary vocabulary,
      Map<String, Integer> ids) {
    ModelConfig c = special.has(key) ? special : config;
    String text = otherwise;
    if (c.has(key)) {
      Object value = c.toMap().get(key);
      text =
          value instanceof Map<?, ?> m && m.get("content") instanceof String s
              ? s
              : c.getString(key);
    }
    Integer id = vocabulary.ids().get(text);
    if (id == null) {
      throw new WeightsException(
          vocabulary.source(), "the " + key + " '" + text + "' is not in it");
    }
    ids.put(text, id);
    return text;
  }

  private static HuggingFaceTokenizer open(String component, byte[] json) {
    try {
      return HuggingFaceTokenizer.newInstance(
          new ByteArrayInputStream(json), Map.of("truncation", "false", "padding", "false"));
    } catch (IOException | RuntimeException e) {
      throw new WeightsException(component, "cannot be loaded: " + e.getMessage(), e);
    }
  }

  /** Number of ids that an encoded prompt has. */
  public int modelMaxLength() {
    return modelMaxLength;
  }

  /** The prompt's own ids, of any number, without begin and end. */
  public int[] tokenize(String prompt) {
    long[] ids = tokenizer.encode(prompt, false, false).getIds();
    return Arrays.stream(ids).mapToInt(Math::toIntExact).toArray();
  }

  /** The prompt's ids between begin and end, padded or cut to {@link #modelMaxLength()}. */
  public Encoded encode(String prompt) {
    int[] own = tokenize(prompt);
    int room = modelMaxLength - 2;
    String removed = own.length <= room ? null : decode(Arrays.copyOfRange(own, room, own.length));
    return new Encoded(framed(own, 0), removed);
  }

  /**
   * The whole prompt in chunks of {@link #modelMaxLength()}, each with begin, end and padding.
   *
   * @return at least one
   */
  public List<int[]> encodeChunks(String prompt) {
    int[] own = tokenize(prompt);
    List<int[]> chunks = new ArrayList<>();
    do {
      chunks.add(framed(own, chunks.size() * (modelMaxLength - 2)));
    } while (chunks.size() * (modelMaxLength - 2) < own.length);
    return chunks;
  }

  /** As many of the ids as there is room for, from one on, between begin and end. */
  private int[] framed(int[] own, int from) {
    int used = Math.min(own.length - from, modelMaxLength - 2);
    int[] ids = new int[modelMaxLength];
    Arrays.fill(ids, pad);
    ids[0] = bos;
    System.arraycopy(own, from, ids, 1, used);
    ids[used + 1] = eos;
    return ids;
  }

  /** Ids back to text. */
  public String decode(int[] ids) {
    String text = tokenizer.decode(Arrays.stream(ids).asLongStream().toArray(), true);
    return text.replace("</w>", " ").strip();
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}
