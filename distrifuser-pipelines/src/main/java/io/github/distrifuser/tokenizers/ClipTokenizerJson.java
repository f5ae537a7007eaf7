package io.github.distrifuser.tokenizers;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Map;
import java.util.TreeMap;

/**
 * Builds the description of CLIP's fast tokenizer from a vocabulary, in the format of
 * tokenizer.json, which most of these models do not carry.
 */
final class ClipTokenizerJson {
  private static final JsonMapper JSON = new JsonMapper();
  private static final String WORDS =
      "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

  private ClipTokenizerJson() {}

  /**
   * The description.
   *
   * @param special special tokens and their ids: begin, end, padding
   */
  static byte[] describe(
      ClipVocabulary vocabulary,
      String bos,
      String eos,
      String unknown,
      Map<String, Integer> special) {
    ObjectNode root = JSON.createObjectNode();
    root.put("version", "1.0");
    root.putNull("truncation");
    root.putNull("padding");
    addSpecial(root.putArray("added_tokens"), bos, eos, special);

    ObjectNode normalizer = root.putObject("normalizer").put("type", "Sequence");
    ArrayNode steps = normalizer.putArray("normalizers");
    steps.addObject().put("type", "NFC");
    ObjectNode spaces = steps.addObject().put("type", "Replace");
    spaces.putObject("pattern").put("Regex", "\\s+");
    spaces.put("content", " ");
    steps.addObject().put("type", "Lowercase");

    ObjectNode pre = root.putObject("pre_tokenizer").put("type", "Sequence");
    ArrayNode splits = pre.putArray("pretokenizers");
    ObjectNode split = splits.addObject().put("type", "Split");
    split.putObject("pattern").put("Regex", quote(bos) + "|" + quote(eos) + "|" + WORDS);
    split.put("behavior", "Removed").put("invert", true);
    bytes(splits.addObject(), false);

    root.putNull("post_processor");
    bytes(root.putObject("decoder"), true);

    ObjectNode model = root.putObject("model").put("type", "BPE");
    model.putNull("dropout");
    model.put("unk_token", unknown);
    model.put("continuing_subword_prefix", "");
    model.put("end_of_word_suffix", "</w>");
    model.put("fuse_unk", false).put("byte_fallback", false).put("ignore_merges", false);
    ObjectNode tokens = model.putObject("vocab");
    vocabulary.ids().forEach(tokens::put);
    ArrayNode pairs = model.putArray("merges");
    vocabulary.merges().forEach(p -> pairs.addArray().add(p[0]).add(p[1]));
    try {
      return JSON.writeValueAsBytes(root);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Begin and end are matched after normalising, padding before, as transformers sets them. */
  private static void addSpecial(
      ArrayNode added, String bos, String eos, Map<String, Integer> special) {
    Map<Integer, String> byId = new TreeMap<>();
    special.forEach((token, id) -> byId.put(id, token));
    byId.forEach(
        (id, token) ->
            added
                .addObject()
                .put("id", id)
                .put("content", token)
                .put("single_word", false)
                .put("lstrip", false)
                .put("rstrip", false)
                .put("normalized", token.equals(bos) || token.equals(eos))
                .put("special", true));
  }

  private static void bytes(ObjectNode node, boolean prefixSpace) {
    node.put("type", "ByteLevel")
        .put("add_prefix_space", prefixSpace)
        .put("trim_offsets", true)
        .put("use_regex", true);
  }

  private static String quote(String token) {
    return token.replaceAll("[^A-Za-z0-9<>]", "\\\\$0");
  }
}
