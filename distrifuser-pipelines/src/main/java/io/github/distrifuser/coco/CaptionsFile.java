package io.github.distrifuser.coco;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads captions. A file whose name ends in {@code .json} is one of
 *
 * <ul>
 *   <li>the Karpathy split's dataset_coco.json: the pictures whose split is {@code val}, in the
 *       file's order, which is the hub dataset's validation split;
 *   <li>COCO's captions_*.json: its images in the file's order, each with its annotations';
 *   <li>prompts.json as dump_coco writes it: an array of strings.
 * </ul>
 *
 * <p>Any other file has one caption a line, in UTF-8; empty lines are left out.
 */
public final class CaptionsFile {
  private static final JsonMapper JSON = new JsonMapper();
  private static final String SPLIT = "val";

  private final Path file;
  private final List<CocoPicture> ready = new ArrayList<>();
  private final Map<Long, String> names = new LinkedHashMap<>(); // COCO's images by id
  private final Map<Long, List<String>> captions = new LinkedHashMap<>();
  private boolean karpathy;

  private CaptionsFile(Path file) {
    this.file = file;
  }

  /**
   * Reads a file.
   *
   * @return at least one picture
   * @throws CocoException naming the file
   */
  public static List<CocoPicture> read(Path file) {
    String name = String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT);
    List<CocoPicture> all;
    try {
      all = name.endsWith(".json") ? new CaptionsFile(file).json() : lines(file);
    } catch (JsonProcessingException e) {
      throw new CocoException(
          file + ": is no JSON, or cut short: " + e.getOriginalMessage() + at(e), e);
    } catch (CharacterCodingException e) {
      throw new CocoException(file + ": is not UTF-8", e);
    } catch (IOException e) {
      throw new CocoException(file + ": cannot be read: " + e, e);
    }
    if (all.isEmpty()) {
      throw new CocoException(file + ": holds no captions");
    }
    return all;
  }

  private static String at(JsonProcessingException e) {
    return e.getLocation() == null ? "" : ", line " + e.getLocation().getLineNr();
  }

  private static List<CocoPicture> lines(Path file) throws IOException {
    List<CocoPicture> all = new ArrayList<>();
    for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
      String text = line.strip();
      if (text.startsWith("\ufeff")) {
        text = text.substring(1).strip();
      }
      if (!text.isEmpty()) {
        all.add(new CocoPicture("", List.of(text)));
      }
    }
    return all;
  }

  // --- JSON, streamed: the Karpathy file has 140 MB ---

  private List<CocoPicture> json() throws IOException {
    try (JsonParser in = JSON.createParser(file.toFile())) {
      JsonToken first = in.nextToken();
      if (first == JsonToken.START_ARRAY) {
        return prompts(in);
      }
      if (first != JsonToken.START_OBJECT) {
        throw new CocoException(file + ": expected an array of captions or an object of COCO's");
      }
      while (in.nextToken() == JsonToken.FIELD_NAME) {
        String name = in.currentName();
        JsonToken value = in.nextToken();
        if (value == JsonToken.START_ARRAY && name.equals("images")) {
          elements(in, this::image);
        } else if (value == JsonToken.START_ARRAY && name.equals("annotations")) {
          elements(in, this::annotation);
        } else {
          in.skipChildren();
        }
      }
    }
    return karpathy ? ready : coco();
  }

  private List<CocoPicture> prompts(JsonParser in) throws IOException {
    List<CocoPicture> all = new ArrayList<>();
    while (in.nextToken() != JsonToken.END_ARRAY) {
      if (in.currentToken() != JsonToken.VALUE_STRING) {
        throw new CocoException(file + ": expected captions, found another value: " + all.size());
      }
      all.add(new CocoPicture("", List.of(in.getText())));
    }
    return all;
  }

  private interface Element {
    void take(JsonNode node);
  }

  private static void elements(JsonParser in, Element body) throws IOException {
    while (in.nextToken() != JsonToken.END_ARRAY) {
      body.take(JSON.readTree(in));
    }
  }

  private void image(JsonNode n) {
    String name = n.path("filename").asText(n.path("file_name").asText(""));
    JsonNode sentences = n.get("sentences");
    if (sentences == null) {
      names.put(id(n, "id"), name);
      return;
    }
    karpathy = true;
    if (n.path("split").asText().equals(SPLIT)) {
      List<String> raw = new ArrayList<>();
      sentences.forEach(s -> raw.add(text(s, "raw", name)));
      ready.add(picture(name, raw));
    }
  }

  private void annotation(JsonNode n) {
    long image = id(n, "image_id");
    captions
        .computeIfAbsent(image, i -> new ArrayList<>())
        .add(text(n, "caption", "the annotation of image " + image));
  }

  private List<CocoPicture> coco() {
    List<CocoPicture> all = new ArrayList<>();
    names.forEach(
        (id, name) -> all.add(picture(name.isEmpty() ? "" + id : name, captions.get(id))));
    return all;
  }

  private CocoPicture picture(String name, @Nullable List<String> texts) {
    if (texts == null || texts.isEmpty()) {
      throw new CocoException(file + ": the picture " + name + " has no captions");
    }
    return new CocoPicture(name, texts);
  }

  private long id(JsonNode n, String key) {
    JsonNode v = n.get(key);
    if (v == null || !v.isIntegralNumber()) {
      throw new CocoException(file + ": an entry has no '" + key + "'; is it a captions file?");
    }
    return v.asLong();
  }

  private String text(JsonNode n, String key, String of) {
    JsonNode v = n.get(key);
    if (v == null || !v.isTextual()) {
      throw new CocoException(
          file + ": " + of + " has no '" + key + "'; is it a file of captions?");
    }
    return v.asText();
  }
}
