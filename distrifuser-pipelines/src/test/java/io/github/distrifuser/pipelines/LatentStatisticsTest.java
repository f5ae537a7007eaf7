package io.github.distrifuser.pipelines;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.models.ReferenceModels;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.random.TorchGenerator;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.ModelConfig;
import io.github.distrifuser.weights.ModelFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** VAEs whose configuration names mean and deviation of latents. */
class LatentStatisticsTest {
  private static final double[] MEANS = {0.5, -1, 2, 0.25};
  private static final double[] DEVIATIONS = {0.5, 2, 1, 4};
  private static final int SIDE = 8;

  @TempDir Path folder;

  @Test
  void latentsAreBroughtToTheirMeanAndDeviation() throws IOException {
    Path other = folder.resolve("model");
    GeneratedImage expected;
    Shape shape = Shape.of(1, 4, SIDE, SIDE);
    NdArray z = new NdArray(new TorchGenerator(5).randn(DType.F32, shape.toArray()), shape);
    String model = ReferenceModels.root().resolve("models/tiny-sdxl").toString();
    try (DistriPipeline p = load(model)) {
      expected = decoded(p, z);
      p.savePretrained(other);
    }
    ModelConfig vae = ModelFolder.of(other).readConfig("vae/config.json");
    float scaling = vae.getFloat("scaling_factor");
    ModelConfig changed =
        vae.with(
            Map.of(
                "latents_mean", List.of(MEANS[0], MEANS[1], MEANS[2], MEANS[3]),
                "latents_std", List.of(DEVIATIONS[0], DEVIATIONS[1], DEVIATIONS[2], DEVIATIONS[3]),
                "shift_factor", 3.0)); // which diffusers' pipelines of SD and SDXL don't read
    Files.write(other.resolve("vae/config.json"), changed.toBytes());

    // z' such that z' deviation / scaling + mean is z / scaling
    float[] same = z.data().clone();
    for (int i = 0; i < same.length; i++) {
      int c = i / (SIDE * SIDE);
      same[i] = (float) ((same[i] - MEANS[c] * scaling) / DEVIATIONS[c]);
    }
    try (DistriPipeline p = load(other.toString())) {
      GeneratedImage found = decoded(p, new NdArray(same, shape));
      assertEquals(expected.width(), found.width());
      int most = 0;
      byte[] a = expected.rgb();
      byte[] b = found.rgb();
      assertEquals(a.length, b.length);
      for (int i = 0; i < a.length; i++) {
        most = Math.max(most, Math.abs((a[i] & 0xff) - (b[i] & 0xff)));
      }
      assertTrue(most <= 1, "pictures differ by " + most);
    }
  }

  private static DistriPipeline load(String model) {
    return Pipelines.fromPretrained(
        DistriConfig.defaults(), model, LoadOptions.builder().device("reference").build());
  }

  /** The picture of latents that take the place of those that were denoised. */
  private static GeneratedImage decoded(DistriPipeline p, NdArray latents) {
    return p.generate(
            GenerationRequest.builder()
                .prompt("")
                .height(8 * SIDE)
                .width(8 * SIDE)
                .numInferenceSteps(1)
                .generator(new TorchGenerator(1))
                .callbackOnStepEnd(s -> s.replace("latents", latents))
                .build())
        .images()
        .get(0);
  }
}
