package io.github.distrifuser.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.ModelSource;
import io.github.distrifuser.tensor.DType;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Multiply-accumulates against torchprofile's: cases/macs.json. */
class MacsTest {
  private static final Path RESOURCES = Path.of(System.getProperty("distrifuser.testResources"));

  private static OperatorTotals count(String model, int batch, int side) {
    ModelSource source = ModelSource.resolve(model, LoadOptions.defaults());
    int size = side * source.latentFactor();
    DistriConfig config =
        DistriConfig.builder()
            .height(size)
            .width(size)
            .doClassifierFreeGuidance(batch == 2)
            .build();
    Workload w = new Workload(source.unetConfig(), config, source.latentFactor(), 1, DType.F16, 1);
    return OperatorTotals.of(new Planner(w).recordings(1).get(0));
  }

  @ParameterizedTest
  @CsvSource({
    "tiny-sdxl, models/tiny-sdxl",
    "tiny-sd1, models/tiny-sd1",
    "tiny-sd2, models/tiny-sd2",
    "sdxl-1024, random:sdxl",
    "sd15-512, random:sd15",
  })
  void convolutionsAndLinearLayers(String name, String model) throws IOException {
    JsonNode all = new JsonMapper().readTree(RESOURCES.resolve("cases/macs.json").toFile());
    JsonNode expected = all.get(name);
    OperatorTotals found =
        count(
            model.startsWith("models/") ? RESOURCES.resolve(model).toString() : model,
            expected.get("batch").asInt(),
            expected.get("latents").asInt());
    // 1 x 1 convolutions are matrix products here
    assertEquals(
        expected.get("convolution").asLong() + expected.get("linear").asLong(),
        found.macs(OperatorKind.CONVOLUTION) + found.macs(OperatorKind.LINEAR));
    assertEquals(expected.get("attention").asLong(), found.macs(OperatorKind.ATTENTION));
  }
}
