package io.github.distrifuser.coco;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Each format that captions come in, and what is none of them. */
class CaptionsFileTest {
  @TempDir Path folder;

  private List<CocoPicture> read(String name, String text) throws IOException {
    return CaptionsFile.read(Files.writeString(folder.resolve(name), text));
  }

  @Test
  void theKarpathySplitGivesItsValidationPicturesInTheirOrder() throws IOException {
    List<CocoPicture> all =
        read(
            "dataset_coco.json",
            """
            {"images": [
              {"filename": "a.jpg", "split": "test", "sentences": [{"raw": "no"}], "cocoid": 1},
              {"filename": "b.jpg", "split": "val", "sentences": [{"raw": "b0"}, {"raw": "b1"}]},
              {"filename": "c.jpg", "split": "val", "sentences": [{"raw": "c0"}, {"raw": "c1"}]},
              {"filename": "d.jpg", "split": "restval", "sentences": [{"raw": "no"}]},
              {"filename": "e.jpg", "split": "val", "sentences": [{"raw": "e0"}]}],
             "dataset": "coco"}
            """);
    assertEquals(
        List.of(
            new CocoPicture("b.jpg", List.of("b0", "b1")),
            new CocoPicture("c.jpg", List.of("c0", "c1")),
            new CocoPicture("e.jpg", List.of("e0"))),
        all);
    assertEquals("c1", all.get(1).prompt(1));
    assertEquals("e0", all.get(2).prompt(2));
  }

  @Test
  void cocosOwnFileGivesItsImagesInTheirOrderWhereverTheAnnotationsStand() throws IOException {
    List<CocoPicture> all =
        read(
            "captions_val2014.json",
            """
            {"info": {"year": [2014]},
             "annotations": [{"image_id": 7, "id": 1, "caption": "seven"},
                             {"image_id": 5, "id": 2, "caption": "five"},
                             {"image_id": 7, "id": 3, "caption": "seven again"}],
             "images": [{"id": 7, "file_name": "7.jpg"}, {"id": 5, "file_name": "5.jpg"}]}
            """);
    assertEquals(
        List.of(
            new CocoPicture("7.jpg", List.of("seven", "seven again")),
            new CocoPicture("5.jpg", List.of("five"))),
        all);
  }

  @Test
  void promptsAndLines() throws IOException {
    assertEquals(
        List.of("a \"b\"", "ü"),
        read("prompts.json", "[\"a \\\"b\\\"\", \"ü\"]").stream().map(p -> p.prompt(9)).toList());
    assertEquals(
        List.of("[one", "two"),
        read("lines.txt", "\ufeff[one\r\n\n  two \n").stream().map(p -> p.prompt(0)).toList());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[]                                                      | holds no captions",
        "[\"a\"                                                  | is no JSON, or cut short",
        "[1]                                                     | expected captions",
        "3                                                       | expected an array",
        "{\"images\": [{\"id\": 3}], \"annotations\": []}        | the picture 3 has no captions",
        "{\"images\": [], \"annotations\": [{\"image_id\": 3}]}  | has no 'caption'",
        "{\"annotations\": [{\"caption\": \"a\"}]}               | has no 'image_id'",
        "{}                                                      | holds no captions",
      })
  void aFileThatHoldsNoneIsNamed(String text, String expected) {
    String message = assertThrows(CocoException.class, () -> read("wrong.json", text)).getMessage();
    assertTrue(message.startsWith(folder.resolve("wrong.json") + ": "), message);
    assertTrue(message.contains(expected), message);
  }
}
