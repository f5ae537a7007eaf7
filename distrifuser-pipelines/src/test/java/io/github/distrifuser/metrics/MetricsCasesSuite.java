package io.github.distrifuser.metrics;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.Backends;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.StateDict;
import io.github.distrifuser.weights.WeightTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** PSNR, LPIPS and FID equal torchmetrics', lpips' and clean-fid's, on whatever backend. */
public abstract class MetricsCasesSuite {
  @TempDir Path folder;
  private Expected expected;

  /** The backend to run on. */
  protected abstract String device();

  @BeforeEach
  void writePictures() throws IOException {
    expected = new Expected();
    expected.writeFolders(folder);
  }

  private Backend backend() {
    return Backends.choose(device()).create(BackendOptions.defaults());
  }

  @Test
  void psnrAndLpips() {
    StateDict weights = Formula.weights();
    try (Backend backend = backend();
        Lpips lpips = new Lpips(backend, weights, weights)) {
      ImagePairs pairs = new ImagePairs(folder.resolve("a"), folder.resolve("b"), false);
      Comparison.PairResults r = new Comparison(64, 2, () -> {}).pairs(pairs, lpips);
      expected.check(r.psnr(), "psnr");
      expected.check(r.lpips(), "lpips");
      for (int i = 0; i < r.pairs().size(); i++) {
        expected.check(r.pairs().get(i).psnr(), "psnr_each", i);
        expected.check(r.pairs().get(i).lpips(), "lpips_each", i);
        expected.check(r.pairs().get(i).lpips(), "lpips_package_each", i);
      }
    }
  }

  @Test
  void fid() {
    try (Backend backend = backend();
        Fid fid = new Fid(backend, Formula.weights())) {
      Comparison c = new Comparison(64, 2, () -> {});
      List<float[]> a = c.features(folder.resolve("a"), fid);
      List<float[]> b = c.features(folder.resolve("b"), fid);
      for (int i = 0; i < a.size(); i++) {
        for (int j = 0; j < expected.length("features", i); j++) {
          assertEquals(expected.number("features", i, j), a.get(i)[128 * j], 1e-3, "feature " + j);
        }
      }
      expected.check(Fid.distance(a, b), "fid");
      assertEquals(0, Fid.distance(a, a), 1e-6);
    }
  }

  /** The same weights under the names of NVIDIA's file, which has no scale in its normalisation. */
  @Test
  void theScriptsNamesGiveTheSameFeatures() {
    Map<String, WeightTensor> script = new LinkedHashMap<>();
    StateDict dict =
        StateDict.generated(
            "formula",
            (source, name, shape) -> {
              if (name.endsWith(".bn.weight")) {
                return ones(name, shape);
              }
              WeightTensor t = Formula.weight(name, shape);
              script.put(scriptName(name), t);
              return t;
            });
    List<float[]> picture = List.of(Fid.resized(Formula.picture(1, 80, 80, true)));
    try (Backend backend = backend();
        Fid fid = new Fid(backend, dict)) {
      float[] first = fid.features(picture).get(0);
      assertEquals(4 * 94, script.size());
      try (Fid other = new Fid(backend, StateDict.of("script", script))) {
        assertArrayEquals(first, other.features(picture).get(0));
      }
    }
  }

  private static WeightTensor ones(String name, Shape shape) {
    ByteBuffer data = ByteBuffer.allocate(shape.size(0) * Float.BYTES);
    data.order(ByteOrder.LITTLE_ENDIAN);
    while (data.hasRemaining()) {
      data.putFloat(1);
    }
    return new WeightTensor(name, "ones", DType.F32, shape, data.flip());
  }

  private static String scriptName(String name) {
    String[][] ends = {
      {".conv.weight", ".weight"},
      {".bn.running_mean", ".mean"},
      {".bn.running_var", ".var"},
      {".bn.bias", ".beta"}
    };
    for (String[] e : ends) {
      if (name.endsWith(e[0])) {
        return InceptionWeights.tfName(name.substring(0, name.length() - e[0].length())) + e[1];
      }
    }
    throw new IllegalArgumentException(name);
  }
}
