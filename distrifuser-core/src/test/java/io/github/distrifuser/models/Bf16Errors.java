package io.github.distrifuser.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.distrifuser.tensor.NdArray;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * How far torch's bfloat16 is from the float32 cases, measured by make/bf16.py, and the assertion
 * that ours is about as near.
 */
public final class Bf16Errors {
  /** Root mean square of our differences over torch's. */
  private static final double RMS = 1.5;

  /** Our largest difference over torch's largest: one element's, so it varies more. */
  private static final double LARGEST = 2;

  private final JsonNode torch;

  private Bf16Errors(JsonNode torch) {
    this.torch = torch;
  }

  public static Bf16Errors load() {
    Path json = ReferenceModels.root().resolve("cases").resolve("bf16.json");
    try {
      return new Bf16Errors(new JsonMapper().readTree(json.toFile()));
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
    assertTrue(limits.isObject(), () -> name + " is not in bf16.json");
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
