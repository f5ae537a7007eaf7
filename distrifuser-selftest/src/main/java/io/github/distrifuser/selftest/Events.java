package io.github.distrifuser.selftest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What a section's process tells the one that started it: a file of JSON objects, one a line, each
 * written at once, so that those of a process that died are there as well.
 */
final class Events {
  static final JsonMapper JSON = new JsonMapper();

  /** Keys of the objects; each line has one. */
  static final String STARTED = "started"; // a case's id and name

  static final String FINISHED = "finished"; // a CaseResult
  static final String FACT = "fact"; // the name of a number that was measured, and the number
  static final String RESULT = "result"; // a section's own

  private final Path file;

  Events(Path file) {
    this.file = file;
  }

  synchronized void write(String key, Object value) {
    ObjectNode line = JSON.createObjectNode();
    line.set(key, JSON.valueToTree(value));
    try {
      byte[] bytes = (JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8);
      Files.write(file, bytes, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(file.toString(), e);
    }
  }

  void fact(String name, Object value) {
    write(FACT, Map.of("name", name, "value", value));
  }

  /** The lines that are whole. */
  static List<JsonNode> read(Path file) {
    List<JsonNode> all = new ArrayList<>();
    try {
      String text = Files.exists(file) ? Files.readString(file) : "";
      String whole = text.substring(0, text.lastIndexOf('\n') + 1);
      for (String line : whole.lines().toList()) {
        all.add(JSON.readTree(line));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(file.toString(), e);
    }
    return all;
  }
}
