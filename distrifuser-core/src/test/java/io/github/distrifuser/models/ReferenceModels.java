package io.github.distrifuser.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.weights.ModelFolder;
import io.github.distrifuser.weights.SafetensorsFile;
import io.github.distrifuser.weights.StateDict;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;

/** The reference models and cases of src-test-resources, for tests. */
public final class ReferenceModels {
  private ReferenceModels() {}

  /** The folder src-test-resources. */
  public static Path root() {
    return Path.of(System.getProperty("distrifuser.testResources"));
  }

  /** A folder of models. */
  public static ModelFolder folder(String model) {
    return ModelFolder.of(root().resolve("models").resolve(model));
  }

  /** Variant of a model's file names, or null. */
  public static String variant(String model) {
    Path p = root().resolve("models").resolve(model).resolve("unet");
    return Files.exists(p.resolve("diffusion_pytorch_model.fp16.safetensors")) ? "fp16" : null;
  }

  /** A component's weights. */
  public static StateDict weights(String model, String component, String base) {
    return folder(model).openStateDict(component, base, variant(model));
  }

  /** A case's tensors. */
  public static SafetensorsFile tensors(String name) {
    return SafetensorsFile.open(root().resolve("cases").resolve(name + ".safetensors"));
  }

  /** A float tensor. */
  public static NdArray array(SafetensorsFile file, String name) {
    WeightTensor t = file.get(name);
    return new NdArray(t.toFloats(), t.shape());
  }

  /** An I64 tensor {@code [n, l]}. */
  public static int[][] ids(SafetensorsFile file, String name) {
    WeightTensor t = file.get(name);
    LongBuffer b = t.data().asLongBuffer();
    int[][] out = new int[t.shape().size(0)][t.shape().size(1)];
    for (int[] row : out) {
      for (int i = 0; i < row.length; i++) {
        row[i] = (int) b.get();
      }
    }
    return out;
  }

  /** Asserts that the largest difference is at most a share of the expected deviation. */
  public static void assertNear(String what, NdArray expected, NdArray actual, double share) {
    assertEquals(expected.shape(), actual.shape(), what);
    double sum = 0;
    double squares = 0;
    double worst = 0;
    int at = 0;
    for (int i = 0; i < expected.data().length; i++) {
      double e = expected.data()[i];
      sum += e;
      squares += e * e;
      double d = Math.abs(e - actual.data()[i]);
      if (!(d <= worst)) {
        worst = d;
        at = i;
      }
    }
    int n = expected.data().length;
    double deviation = Math.sqrt(Math.max(0, squares / n - (sum / n) * (sum / n)));
    assertTrue(
        worst <= share * deviation,
        what
            + ": off by "
            + worst / deviation
            + " deviations at index "
            + at
            + ": expected "
            + expected.data()[at]
            + ", found "
            + actual.data()[at]);
  }
}
