package io.github.distrifuser.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * How far torch's 16-bit arithmetic is from the float32 cases, measured by make/half.py, and the
 * assertion that ours is about as near.
 */
public final class HalfErrors {
  /** Root mean square of our differences over torch's. */
  private static final double RMS = 1.5;

  /** Our largest difference over torch's largest: one element's, so it varies more. */
  private static final double LARGEST = 2;

  private final Path file;
  private final JsonNode torch;

  private HalfErrors(Path file, JsonNode torch) {
    this.file = file;
    this.torch = torch;
  }

  /** Those of a type: F16 or BF16. */
  public static HalfErrors of(DType dtype) {
    String name = dtype.name().toLowerCase(Locale.ROOT) + ".json";
    Path json = ReferenceModels.root().resolve("cases").resolve(name);
    try {
      return new HalfErrors(json, new JsonMapper().readTree(json.toFile()));
    } catch (IOException e) {
      throw new IllegalStateException(json.toString(), e);
    }
  }

  /** Names of the compared tensors that begin so, as in {@code pipeline/sd1_dpm/latents}. */
  public List<String> names(String prefix) {
    List<String> names = new ArrayList<>();
    torch.fieldNames().forEachRemaining(names::add);
    return names.stream().filter(n -> n.startsWith(prefix)).toList();
  }

  /** Compares with the float32 case: no further from it than a small multiple of torch. */
  public void assertWithin(String name, NdArray expected, NdArray actual) {
    assertEquals(expected.shape(), actual.shape(), name);
    JsonNode limits = torch.path(name);
    assertTrue(limits.isObject(), () -> name + " is not in " + file);
    double sum = 0;
    double squares = 0;
    double error = 0;
    double worst = 0;
    int n = expected.data().length;
    for (int i = 0; i < n; i++) {
      double e = expected.data()[i];
      double d = Math.abs(e - actual.data()[i]);
      sum += e;
      squares += e * e;
      error += d * d;
      worst = d <= worst ? worst : d; // NaN stays
    }
    double deviation = Math.sqrt(squares / n - (sum / n) * (sum / n));
    atMost(name + ": rms", RMS * limits.get("rms").asDouble(), Math.sqrt(error / n) / deviation);
    atMost(name + ": largest", LARGEST * limits.get("max").asDouble(), worst / deviation);
  }

  private static void atMost(String what, double limit, double found) {
    assertTrue(found <= limit, () -> what + " difference: at most " + limit + ", found " + found);
  }
}
