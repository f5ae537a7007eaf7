package io.github.distrifuser.pipelines;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.models.ReferenceModels;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.random.TorchGenerator;
import io.github.distrifuser.schedulers.SchedulerKind;
import io.github.distrifuser.weights.ModelConfig;
import io.github.distrifuser.weights.ModelFolder;
import io.github.distrifuser.weights.WeightsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Pipelines that are saved and loaded again. */
class SavePretrainedTest {
  @TempDir Path folder;

  private static DistriPipeline load(String model, LoadOptions.Builder options) {
    return Pipelines.fromPretrained(
        DistriConfig.defaults(), model, options.device("reference").build());
  }

  private static float[] latents(DistriPipeline p) {
    GenerationRequest r =
        GenerationRequest.builder()
            .prompt("a red circle")
            .height(64)
            .width(64)
            .numInferenceSteps(2)
            .generator(new TorchGenerator(3))
            .outputType(OutputType.LATENT)
            .build();
    return p.generate(r).latents().data();
  }

  @ParameterizedTest
  @CsvSource({
    "tiny-sdxl, EULER, EulerDiscreteScheduler",
    "tiny-sd1, DPM_SOLVER, DPMSolverMultistepScheduler",
    "tiny-sd2, DEFAULT, DDIMScheduler"
  })
  void givesTheSameBitsWhenLoadedAgain(String model, SchedulerKind kind, String className)
      throws IOException {
    String source = ReferenceModels.root().resolve("models").resolve(model).toString();
    Path saved = folder.resolve("not/yet/there");
    float[] expected;
    try (DistriPipeline p =
        load(source, LoadOptions.builder().variant(ReferenceModels.variant(model)))) {
      p.setScheduler(kind);
      expected = latents(p);
      p.savePretrained(saved);
    }
    ModelFolder f = ModelFolder.of(saved);
    ModelConfig index = f.readConfig("model_index.json");
    assertEquals(className, index.componentClass("scheduler"));
    assertEquals(
        className, f.readConfig("scheduler/scheduler_config.json").getString("_class_name"));
    try (DistriPipeline p = load(saved.toString(), LoadOptions.builder())) {
      assertArrayEquals(expected, latents(p));
    }
    try (Stream<Path> all = Files.walk(saved)) {
      List<Path> odd = all.filter(x -> x.toString().contains("fp16")).toList();
      assertTrue(odd.isEmpty(), odd::toString);
    }
    try (Stream<Path> beside = Files.list(saved.getParent())) {
      assertEquals(List.of(saved), beside.toList(), "something was left beside it");
    }
  }

  @Test
  void keepsAFolderThatHoldsSomething() throws IOException {
    Path mine = Files.writeString(folder.resolve("mine.txt"), "mine");
    String model = ReferenceModels.root().resolve("models/tiny-lcm").toString();
    try (DistriPipeline p = load(model, LoadOptions.builder())) {
      WeightsException e = assertThrows(WeightsException.class, () -> p.savePretrained(folder));
      assertTrue(e.getMessage().contains(folder.toString()), e.getMessage());
      assertTrue(e.getMessage().contains("something is in its place"), e.getMessage());
    }
    assertEquals("mine", Files.readString(mine));
  }

  @Test
  void leavesNothingWhereAFileCannotBeRead() throws IOException {
    Path broken = folder.resolve("broken");
    Path saved = folder.resolve("saved");
    String model = ReferenceModels.root().resolve("models/tiny-lcm").toString();
    try (DistriPipeline p = load(model, LoadOptions.builder())) {
      p.savePretrained(broken);
    }
    try (DistriPipeline p = load(broken.toString(), LoadOptions.builder())) {
      Files.delete(broken.resolve("vae/config.json"));
      WeightsException e = assertThrows(WeightsException.class, () -> p.savePretrained(saved));
      assertTrue(e.getMessage().contains("vae/config.json"), e.getMessage());
    }
    assertFalse(Files.exists(saved));
    try (Stream<Path> beside = Files.list(folder)) {
      assertEquals(List.of(broken), beside.toList(), "something was left beside it");
    }
  }
}
