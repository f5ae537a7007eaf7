package io.github.distrifuser.tokenizers;

import io.github.distrifuser.weights.ModelConfig;
import io.github.distrifuser.weights.ModelFolder;
import io.github.distrifuser.weights.WeightsException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a model's files say of a CLIP tokenizer: vocab.json and merges.txt, as the models' authors
 * have written them, or the tokenizer.json that newer versions of transformers write in their
 * place, of which vocabulary, merges and added tokens count, as there.
 *
 * @param source the file of the vocabulary
 * @param ids token to id
 * @param merges pairs in order of merging
 */
record ClipVocabulary(String source, Map<String, Integer> ids, List<String[]> merges) {

  /**
   * Reads them.
   *
   * @param component folder within the model, as in {@code tokenizer_2}
   * @throws WeightsException naming the file that is missing or malformed
   */
  static ClipVocabulary load(ModelFolder folder, String component) {
    String vocab = component + "/vocab.json";
    String whole = component + "/tokenizer.json";
    if (!folder.exists(vocab) && folder.exists(whole)) {
      return ofTokenizerJson(whole, folder.readBytes(whole));
    }
    Map<String, Integer> ids = ids(ModelConfig.parse(vocab, folder.readBytes(vocab)));
    String merges = component + "/merges.txt";
    return new ClipVocabulary(vocab, ids, lines(merges, folder.readBytes(merges), ids));
  }

  private static Map<String, Integer> ids(ModelConfig c) {
    Map<String, Integer> ids = new LinkedHashMap<>();
    for (String token : c.keys()) {
      ids.put(token, c.getInt(token));
    }
    return ids;
  }

  /** Pairs as merges.txt has them after its version line. */
  private static List<String[]> lines(String source, byte[] text, Map<String, Integer> ids) {
    List<String[]> merges = new ArrayList<>();
    String[] lines = new String(text, StandardCharsets.UTF_8).split("\n");
    for (int i = 0; i < lines.length; i++) {
      String line = lines[i].strip();
      if (!line.isEmpty() && !(i == 0 && line.startsWith("#version"))) {
        merges.add(pair(source, "line " + (i + 1), line, ids));
      }
    }
    return merges;
  }

  private static ClipVocabulary ofTokenizerJson(String source, byte[] json) {
    ModelConfig root = ModelConfig.parse(source, json);
    ModelConfig model = root.optionalSection("model");
    ModelConfig vocab = model == null ? null : model.optionalSection("vocab");
    if (model == null || vocab == null) {
      throw new WeightsException(source, "model.vocab is missing");
    }
    model.supportOnly("type", "BPE");
    model.supportOnly("continuing_subword_prefix", "");
    model.supportOnly("end_of_word_suffix", "</w>");
    Map<String, Integer> ids = ids(vocab);
    if (!(model.toMap().get("merges") instanceof List<?> pairs)) {
      throw new WeightsException(source, "model.merges: expected a list");
    }
    List<String[]> merges = new ArrayList<>();
    for (int i = 0; i < pairs.size(); i++) {
      String where = "model.merges[" + i + "]";
      merges.add(
          pairs.get(i) instanceof List<?> two
                  && two.size() == 2
                  && two.get(0) instanceof String first
                  && two.get(1) instanceof String second
              ? known(source, where, new String[] {first, second}, ids)
              : pair(source, where, String.valueOf(pairs.get(i)), ids));
    }
    if (root.toMap().get("added_tokens") instanceof List<?> added) {
      added.forEach(token -> requireKnown(source, token, ids));
    }
    return new ClipVocabulary(source, ids, merges);
  }

  /** Tokens of textual inversion would need rows of the text encoder that it has not. */
  private static void requireKnown(String source, Object added, Map<String, Integer> ids) {
    if (!(added instanceof Map<?, ?> token
        && token.get("content") instanceof String text
        && token.get("id") instanceof Integer id)) {
      throw new WeightsException(source, "added_tokens: expected id and content, found " + added);
    }
    if (!id.equals(ids.get(text))) {
      throw new WeightsException(
          source, "added token '" + text + "' is not in the vocabulary, which is not supported");
    }
  }

  private static String[] pair(String source, String where, String text, Map<String, Integer> ids) {
    String[] pair = text.split(" ");
    if (pair.length != 2) {
      throw new WeightsException(source, where + ": expected two tokens, found '" + text + "'");
    }
    return known(source, where, pair, ids);
  }

  private static String[] known(
      String source, String where, String[] pair, Map<String, Integer> ids) {
    for (String token : new String[] {pair[0], pair[1], pair[0] + pair[1]}) {
      if (!ids.containsKey(token)) {
        throw new WeightsException(source, where + ": '" + token + "' is not in the vocabulary");
      }
    }
    return pair;
  }
}
