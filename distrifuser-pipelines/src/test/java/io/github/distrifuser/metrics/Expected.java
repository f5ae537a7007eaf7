package io.github.distrifuser.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.distrifuser.models.ReferenceModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What torchmetrics, lpips and clean-fid gave. */
public final class Expected {
  private static final double RELATIVE = 1e-3;

  private final JsonNode json;

  /** Reads cases/metrics/expected.json. */
  public Expected() throws IOException {
    json = new JsonMapper().readTree(folder().resolve("expected.json").toFile());
  }

  /** The folder of the cases. */
  public static Path folder() {
    return ReferenceModels.root().resolve("cases").resolve("metrics");
  }

  /** A number, or a list's element. */
  public double number(String key, int... at) {
    JsonNode n = json.path(key);
    for (int i : at) {
      n = n.path(i);
    }
    if (!n.isNumber()) {
      throw new IllegalArgumentException("no number " + key);
    }
    return n.asDouble();
  }

  /** Length of a list. */
  public int length(String key, int... at) {
    JsonNode n = json.path(key);
    for (int i : at) {
      n = n.path(i);
    }
    return n.size();
  }

  /** Holds a number to 1e-3 of what is expected. */
  public void check(double actual, String key, int... at) {
    double expected = number(key, at);
    assertEquals(expected, actual, RELATIVE * Math.abs(expected), key);
  }

  /** Writes the two folders of pictures, {@code a} and {@code b}. */
  public void writeFolders(Path root) throws IOException {
    Path a = Files.createDirectories(root.resolve("a"));
    Path b = Files.createDirectories(root.resolve("b"));
    for (int i = 0; i < length("sizes"); i++) {
      int h = (int) number("sizes", i, 0);
      int w = (int) number("sizes", i, 1);
      Formula.picture(i, h, w, false).save(a.resolve("000" + i + ".png"));
      Formula.picture(i, h, w, true).save(b.resolve("000" + i + ".png"));
    }
  }
}
