package io.github.distrifuser.launch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.distrifuser.weights.AtomicFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** JSON that mains write and read. */
final class JsonReports {
  private static final JsonMapper JSON = new JsonMapper();

  private JsonReports() {}

  static ObjectNode object() {
    return JSON.createObjectNode();
  }

  static JsonNode tree(Object value) {
    return JSON.valueToTree(value);
  }

  /** Writes a file at once. */
  static void write(Path file, JsonNode report) {
    try {
      AtomicFiles.write(file, JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(report));
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": " + e.getMessage(), e);
    }
  }

  /**
   * Reads a file.
   *
   * @throws IllegalArgumentException naming the file where it is missing or no JSON object
   */
  static ObjectNode read(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new IllegalArgumentException(file + ": no such file");
    }
    try {
      if (JSON.readTree(Files.readAllBytes(file)) instanceof ObjectNode o) {
        return o;
      }
      throw new IllegalArgumentException(file + ": expected a JSON object");
    } catch (IOException e) {
      throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
    }
  }
}
