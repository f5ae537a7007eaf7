package io.github.distrifuser.tokenizers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.distrifuser.models.ReferenceModels;
import io.github.distrifuser.weights.ModelFolder;
import io.github.distrifuser.weights.WeightsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ClipTokenizerTest {

  @ParameterizedTest
  @ValueSource(strings = {"tiny-sd1", "tiny-sd2", "tiny-sdxl"})
  void equalsTheFastTokenizer(String model) throws IOException {
    JsonNode cases =
        new JsonMapper()
            .readTree(ReferenceModels.root().resolve("cases/tokens/" + model + ".json").toFile());
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

  @Test
  void malformedFilesAreNamed(@TempDir Path dir) throws IOException {
    Path from = ReferenceModels.root().resolve("models/tiny-sd1/tokenizer");
    Path to = Files.createDirectories(dir.resolve("tokenizer"));
    for (String f : new String[] {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
      Files.copy(from.resolve(f), to.resolve(f));
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
