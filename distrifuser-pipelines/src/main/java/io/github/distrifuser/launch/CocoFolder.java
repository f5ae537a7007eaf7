package io.github.distrifuser.launch;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.image.ImageException;
import io.github.distrifuser.image.ImageFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The folder that generate_coco fills: which of its pictures are there already, and their files.
 * Each picture's text chunk says with what settings it was drawn, so that a folder never holds
 * pictures of two runs that differ.
 */
final class CocoFolder {
  private static final JsonMapper JSON = new JsonMapper();
  private static final String PARAMETERS = "parameters";
  private static final String SETTINGS = "settings";

  /** What a write that was killed leaves: a name of {@code AtomicFiles}. */
  private static final Pattern LEFT_OVER = Pattern.compile("\\.(\\d{4,})\\.png\\.[0-9a-f-]{36}");

  private final Path folder;
  private final int height;
  private final int width;
  private final ObjectNode settings;

  /**
   * The folder of a run.
   *
   * @param settings what decides the pictures besides their prompts and seeds
   */
  CocoFolder(Path folder, int height, int width, ObjectNode settings) {
    this.folder = folder;
    this.height = height;
    this.width = width;
    this.settings = settings;
  }

  Path file(int number) {
    return folder.resolve(String.format(Locale.ROOT, "%04d.png", number));
  }

  /**
   * Makes the folder, deletes what killed writes of these pictures left, and finds out which of
   * them are yet to be drawn: those that are missing, cut short or damaged.
   *
   * @param prompts of the pictures from {@code begin} on
   * @throws ImageException where a picture was drawn with other settings
   */
  List<Integer> missing(int begin, List<String> prompts, long seed) {
    try {
      Files.createDirectories(folder);
      deleteLeftOvers(begin, begin + prompts.size());
    } catch (IOException e) {
      throw new UncheckedIOException(folder + ": cannot be used: " + e, e);
    }
    List<Integer> missing = new ArrayList<>();
    for (int i = 0; i < prompts.size(); i++) {
      if (!isDone(begin + i, prompts.get(i), seed + begin + i)) {
        missing.add(begin + i);
      }
    }
    return missing;
  }

  private void deleteLeftOvers(int begin, int end) throws IOException {
    List<Path> all;
    try (Stream<Path> s = Files.list(folder)) {
      all = s.toList();
    }
    for (Path p : all) {
      Matcher m = LEFT_OVER.matcher(String.valueOf(p.getFileName()));
      if (m.matches() && m.group(1).length() < 10) {
        int number = Integer.parseInt(m.group(1));
        if (number >= begin && number < end) {
          Files.deleteIfExists(p);
        }
      }
    }
  }

  private boolean isDone(int number, String prompt, long seed) {
    Path file = file(number);
    if (!Files.exists(file)) {
      return false;
    }
    Map<String, String> text;
    try {
      text = ImageFiles.textOfWhole(file);
    } catch (ImageException e) {
      System.err.println("drawing again: " + e.getMessage());
      return false;
    }
    check(file, parameters(file, text), prompt, seed);
    return true;
  }

  private static JsonNode parameters(Path file, Map<String, String> text) {
    try {
      return JSON.readTree(text.getOrDefault(PARAMETERS, "{}"));
    } catch (JsonProcessingException e) {
      throw new ImageException(file, "its parameters are no JSON", e);
    }
  }

  private void check(Path file, JsonNode found, String prompt, long seed) {
    compare(file, found, "prompt", prompt);
    compare(file, found, "seed", "" + seed);
    compare(file, found, "height", "" + height);
    compare(file, found, "width", "" + width);
    JsonNode theirs = found.path(SETTINGS);
    for (Iterator<String> keys = settings.fieldNames(); keys.hasNext(); ) {
      String key = keys.next();
      compare(file, theirs, key, settings.get(key).asText());
    }
  }

  private static void compare(Path file, JsonNode found, String key, String expected) {
    String value = found.path(key).asText();
    if (!value.equals(expected)) {
      throw new ImageException(
          file,
          "was drawn with another "
              + key
              + ": '"
              + value
              + "', not '"
              + expected
              + "'; delete it, or give another --output_root");
    }
  }

  /** Saves a picture with its settings; it is there whole or not at all. */
  void save(int number, GeneratedImage image) {
    Path file = file(number);
    ObjectNode all = (ObjectNode) parameters(file, image.text());
    all.set(SETTINGS, settings);
    try {
      image.withText(Map.of(PARAMETERS, JSON.writeValueAsString(all))).save(file);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
