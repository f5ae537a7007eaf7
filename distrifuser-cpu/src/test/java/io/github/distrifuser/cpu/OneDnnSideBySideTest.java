package io.github.distrifuser.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.models.ReferenceModels;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.pipelines.DistriPipeline;
import io.github.distrifuser.pipelines.GenerationRequest;
import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.OutputType;
import io.github.distrifuser.pipelines.Pipelines;
import io.github.distrifuser.progress.ProgressReporter;
import io.github.distrifuser.random.TorchGenerator;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** Pipelines of one JVM with ranks and threads of their own, used by several callers at once. */
class OneDnnSideBySideTest {
  private static final int CALLS = 9;

  private static DistriPipeline pipeline(int ranks, int threads) {
    DistriConfig config =
        DistriConfig.builder().height(96).width(96).warmupSteps(1).splitBatch(false).build();
    String model = ReferenceModels.root().resolve("models").resolve("tiny-sdxl").toString();
    LoadOptions options =
        LoadOptions.builder().device("onednn").localRanks(ranks).threads(threads).build();
    DistriPipeline p = Pipelines.fromPretrained(config, model, options);
    p.setProgressBarConfig(ProgressReporter.Config.disable(true));
    return p;
  }

  private static float[] draw(DistriPipeline p) {
    return p.generate(
            GenerationRequest.builder()
                .prompt("a lighthouse")
                .numInferenceSteps(3)
                .outputType(OutputType.LATENT)
                .generator(new TorchGenerator(7))
                .build())
        .latents()
        .data();
  }

  @Test
  void drawTheSameAsAlone() throws Exception {
    try (DistriPipeline one = pipeline(1, 1);
        DistriPipeline two = pipeline(2, 2);
        DistriPipeline three = pipeline(3, 1)) {
      List<DistriPipeline> all = List.of(one, two, three);
      assertEquals(List.of(1, 2, 3), all.stream().map(DistriPipeline::worldSize).toList());
      assertEquals(List.of(1, 2, 1), all.stream().map(p -> p.parts().threadsPerRank()).toList());
      List<float[]> expected = all.stream().map(OneDnnSideBySideTest::draw).toList();
      ExecutorService callers = Executors.newFixedThreadPool(CALLS);
      try {
        List<Future<float[]>> drawn = new ArrayList<>();
        for (int i = 0; i < CALLS; i++) {
          DistriPipeline p = all.get(i % all.size());
          drawn.add(callers.submit(() -> draw(p)));
        }
        for (int i = 0; i < CALLS; i++) {
          assertArrayEquals(expected.get(i % all.size()), drawn.get(i).get(), "call " + i);
        }
      } finally {
        callers.shutdown();
      }
    }
  }
}
