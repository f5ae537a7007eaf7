package io.github.distrifuser.tokenizers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.distrifuser.models.ReferenceModels;
import io.github.distrifuser.weights.ModelFolder;
import io.github.distrifuser.weights.WeightsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ClipTokenizerTest {
  private static final JsonMapper JSON = new JsonMapper();
  private static final Path TOKENIZER = ReferenceModels.root().resolve("models/tiny-sd1/tokenizer");

  @ParameterizedTest
  @ValueSource(strings = {"tiny-sd1", "tiny-sd2", "tiny-sdxl"})
  void equalsTheFastTokenizer(String model) throws IOException {
    JsonNode cases =
        JSON.readTree(ReferenceModels.root().resolve("cases/tokens/" + model + ".json").toFile());
    int checked = 0;
    for (JsonNode c : cases) {
      try (ClipTokenizer t =
          ClipTokenizer.load(ReferenceModels.folder(model), c.get("tokenizer").asText())) {
        int[] expected =
            StreamSupport.stream(c.get("input_ids").spliterator(), false)
                .mapToInt(JsonNode::asInt)
                .toArray();
        String prompt = c.get("prompt").asText();
        assertArrayEquals(expected, t.encode(prompt).ids(), prompt);
        checked++;
      }
    }
    assertTrue(checked >= 10, "only " + checked + " cases");
  }

  @Test
  void saysWhatIsCutOff() {
    try (ClipTokenizer t = ClipTokenizer.load(ReferenceModels.folder("tiny-sdxl"), "tokenizer")) {
      assertNull(t.encode("a red circle").removed());
      String removed = t.encode("word ".repeat(100) + "the end").removed();
      assertNotNull(removed);
      assertTrue(removed.endsWith("the end"), removed);
      assertEquals(77, t.encode("word ".repeat(100)).ids().length);
    }
  }

  /** Both ways in which merges have been written. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void readsTokenizerJsonWhereThereIsNoVocabJson(boolean pairs, @TempDir Path dir)
      throws IOException {
    Path to = Files.createDirectories(dir.resolve("tokenizer"));
    Files.copy(TOKENIZER.resolve("tokenizer_config.json"), to.resolve("tokenizer_config.json"));
    ObjectNode root = tokenizerJson(pairs);
    JSON.writeValue(to.resolve("tokenizer.json").toFile(), root);
    String prompt = "An astronaut's horse, naïve café <|endoftext|> 42";
    try (ClipTokenizer expected =
            ClipTokenizer.load(ReferenceModels.folder("tiny-sd1"), "tokenizer");
        ClipTokenizer read = ClipTokenizer.load(ModelFolder.of(dir), "tokenizer")) {
      assertArrayEquals(expected.encode(prompt).ids(), read.encode(prompt).ids());
    }

    assertNamed(dir, "tokenizer.json", "<cat>", r -> add(r, "<cat>", 5000));
    assertNamed(dir, "tokenizer.json", "added_tokens", r -> r.withArray("added_tokens").add(7));
    assertNamed(dir, "tokenizer.json", "merges[0]", r -> merges(r).removeAll().add("qqq zzz"));
    assertNamed(dir, "tokenizer.json", "merges[0]", r -> merges(r).removeAll().add(3));
    assertNamed(dir, "tokenizer.json", "merges", r -> model(r).remove("merges"));
    assertNamed(dir, "tokenizer.json", "vocab", r -> model(r).remove("vocab"));
    assertNamed(dir, "tokenizer.json", "Unigram", r -> model(r).put("type", "Unigram"));
    assertNamed(dir, "tokenizer.json", "@@", r -> model(r).put("end_of_word_suffix", "@@"));
    assertNamed(dir, "tokenizer.json", "bos_token", r -> vocab(r).remove("<|startoftext|>"));
  }

  private static void assertNamed(Path dir, String file, String what, Consumer<ObjectNode> change)
      throws IOException {
    ObjectNode root = tokenizerJson(false);
    change.accept(root);
    JSON.writeValue(dir.resolve("tokenizer/tokenizer.json").toFile(), root);
    WeightsException e =
        assertThrows(
            WeightsException.class, () -> ClipTokenizer.load(ModelFolder.of(dir), "tokenizer"));
    assertTrue(e.getMessage().contains(file), e.getMessage());
    assertTrue(e.getMessage().contains(what), e.getMessage());
  }

  /** What transformers writes for the files of tiny-sd1. */
  private static ObjectNode tokenizerJson(boolean pairs) throws IOException {
    ObjectNode root = JSON.createObjectNode().put("version", "1.0");
    ObjectNode model = root.putObject("model").put("type", "BPE").put("unk_token", "<|endoftext|>");
    model.put("continuing_subword_prefix", "").put("end_of_word_suffix", "</w>");
    JsonNode vocab = JSON.readTree(TOKENIZER.resolve("vocab.json").toFile());
    model.set("vocab", vocab);
    ArrayNode merges = model.putArray("merges");
    for (String line : Files.readAllLines(TOKENIZER.resolve("merges.txt"))) {
      if (!line.startsWith("#version") && !line.isBlank()) {
        if (pairs) {
          String[] two = line.split(" ");
          merges.addArray().add(two[0]).add(two[1]);
        } else {
          merges.add(line);
        }
      }
    }
    assertTrue(merges.size() > 100);
    add(root, "<|endoftext|>", vocab.get("<|endoftext|>").intValue());
    return root;
  }

  private static void add(ObjectNode root, String token, int id) {
    root.withArray("added_tokens").addObject().put("id", id).put("content", token);
  }

  private static ObjectNode model(ObjectNode root) {
    return (ObjectNode) root.get("model");
  }

  private static ArrayNode merges(ObjectNode root) {
    return (ArrayNode) model(root).get("merges");
  }

  private static ObjectNode vocab(ObjectNode root) {
    return (ObjectNode) model(root).get("vocab");
  }

  @Test
  void malformedFilesAreNamed(@TempDir Path dir) throws IOException {
    Path to = Files.createDirectories(dir.resolve("tokenizer"));
    for (String f : new String[] {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
      Files.copy(TOKENIZER.resolve(f), to.resolve(f));
    }
    ModelFolder folder = ModelFolder.of(dir);
    ClipTokenizer.load(folder, "tokenizer").close();

    Files.writeString(to.resolve("merges.txt"), "#version: 0.2\ni n\nqqq zzz\n");
    WeightsException e =
        assertThrows(WeightsException.class, () -> ClipTokenizer.load(folder, "tokenizer"));
    assertTrue(e.getMessage().contains("merges.txt"), e.getMessage());
    assertTrue(e.getMessage().contains("qqq"), e.getMessage());

    Files.writeString(to.resolve("vocab.json"), "{\"a\": \"b\"}");
    e = assertThrows(WeightsException.class, () -> ClipTokenizer.load(folder, "tokenizer"));
    assertTrue(e.getMessage().contains("vocab.json"), e.getMessage());

    Files.delete(to.resolve("vocab.json"));
    e = assertThrows(WeightsException.class, () -> ClipTokenizer.load(folder, "tokenizer"));
    assertTrue(e.getMessage().contains("vocab.json"), e.getMessage());
  }
}
