package io.github.distrifuser.pipelines;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** What the original computes on several devices, with ranks as threads. */
public abstract class DistributedCasesSuite {

  /** The cases that this backend can afford. */
  @TestFactory
  Stream<DynamicTest> equalsTheOriginal() throws IOException {
    List<String> names = PipelineCase.names("distributed");
    if (names.size() < 29) {
      throw new IllegalStateException("only " + names);
    }
    return names.stream()
        .filter(this::affordable)
        .map(n -> DynamicTest.dynamicTest(n, () -> equalsTheOriginal(n)));
  }

  /** The backend to run on. */
  protected abstract String device();

  /** Whether a case is run. */
  protected boolean affordable(String name) {
    return true;
  }

  /** Whether a case is run a second time, which must give the same bits. */
  protected boolean runTwice(String name) {
    return name.contains("corrected") && name.contains("w4");
  }

  /** Called before each run of a case. */
  protected void beforeRun(int number) {}

  private void equalsTheOriginal(String name) {
    PipelineCase c = PipelineCase.load(name);
    JsonNode spec = c.spec();
    int ranks = spec.get("world_size").asInt();
    LoadOptions options =
        c.options().device(device()).dtype(DType.F32).localRanks(ranks).threads(1).build();
    try (DistriPipeline p = c.pipeline(config(spec), options)) {
      assertEquals(ranks, p.worldSize());
      beforeRun(0);
      NdArray first = run(c, p);
      if (runTwice(name)) {
        beforeRun(1);
        assertArrayEquals(first.data(), run(c, p).data(), "another run gives other bits");
      }
    }
  }

  /** Runs a case and compares it; gives the last latents. */
  static NdArray run(PipelineCase c, DistriPipeline p) {
    List<NdArray> steps = new ArrayList<>();
    PipelineOutput out =
        p.generate(
            c.request()
                .outputType(OutputType.LATENT)
                .callbackOnStepEnd(s -> steps.add(s.latents()))
                .build());
    c.compare(out, steps);
    return out.latents();
  }

  /** The configuration that a case names. */
  static DistriConfig config(JsonNode spec) {
    return DistriConfig.builder()
        .height(spec.get("height").asInt())
        .width(spec.get("width").asInt())
        .doClassifierFreeGuidance(spec.get("do_classifier_free_guidance").asBoolean())
        .splitBatch(spec.get("split_batch").asBoolean())
        .warmupSteps(spec.get("warmup_steps").asInt())
        .mode(spec.get("mode").asText())
        .parallelism(spec.get("parallelism").asText())
        .splitScheme(spec.get("split_scheme").asText())
        .build();
  }
}
