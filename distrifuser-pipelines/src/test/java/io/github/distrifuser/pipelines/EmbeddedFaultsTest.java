package io.github.distrifuser.pipelines;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.models.ReferenceModels;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.progress.ProgressReporter;
import io.github.distrifuser.random.TorchGenerator;
import io.github.distrifuser.tensor.DType;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A pipeline whose ranks are threads, inside a service: what fails is thrown to the caller. */
class EmbeddedFaultsTest {
  private static final int SIZE = 96;

  private static DistriPipeline pipeline(int ranks) {
    DistriConfig config =
        DistriConfig.builder().height(SIZE).width(SIZE).warmupSteps(1).splitBatch(false).build();
    String model = ReferenceModels.root().resolve("models").resolve("tiny-sdxl").toString();
    LoadOptions options =
        LoadOptions.builder()
            .device(FaultyBackendProvider.NAME)
            .dtype(DType.F32)
            .localRanks(ranks)
            .threads(1)
            .build();
    DistriPipeline p = Pipelines.fromPretrained(config, model, options);
    p.setProgressBarConfig(ProgressReporter.Config.disable(true));
    return p;
  }

  private static GenerationRequest.Builder request() {
    return GenerationRequest.builder()
        .prompt("a lighthouse")
        .numInferenceSteps(3)
        .outputType(OutputType.LATENT)
        .generator(new TorchGenerator(7));
  }

  private static float[] draw(DistriPipeline p) {
    return p.generate(request().build()).latents().data();
  }

  private static List<String> rankThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(Thread::isAlive)
        .map(Thread::getName)
        .filter(n -> n.startsWith("distrifuser-"))
        .filter(n -> !n.equals("distrifuser-temporary-files"))
        .sorted()
        .toList();
  }

  private static void assertNoThreads() throws InterruptedException {
    for (int i = 0; i < 500 && !rankThreads().isEmpty(); i++) {
      Thread.sleep(10);
    }
    assertEquals(List.of(), rankThreads());
  }

  @ParameterizedTest
  @CsvSource({"0, 40, false", "1, 0, false", "1, 40, true", "2, 100, false"})
  void aRankThatFailsIsNamedAndThePipelineServesOn(int rank, int convolution, boolean memory)
      throws Exception {
    Supplier<Throwable> failure =
        () -> memory ? new OutOfMemoryError("as told") : new IllegalStateException("as told");
    try (DistriPipeline p = pipeline(3)) {
      float[] expected = draw(p);
      FaultyBackendProvider.fail(rank, convolution, failure);
      CommException e = assertThrows(CommException.class, () -> draw(p));
      assertEquals(rank, e.rank());
      String what = memory ? "out of memory: as told" : "as told";
      assertTrue(
          e.getMessage().matches("rank " + rank + " failed in .*step \\d: " + what),
          e.getMessage());
      Class<?> cause = memory ? OutOfMemoryError.class : IllegalStateException.class;
      assertEquals(cause, e.getCause().getClass());
      assertArrayEquals(expected, draw(p), "after the failure");
    }
    assertNoThreads();
  }

  @Test
  void aPipelineThatHasFailedCanBeClosed() throws Exception {
    DistriPipeline p = pipeline(2);
    FaultyBackendProvider.fail(1, 10, () -> new IllegalStateException("as told"));
    assertThrows(CommException.class, () -> draw(p));
    p.close();
    p.close();
    assertThrows(IllegalStateException.class, () -> draw(p));
    assertNoThreads();
  }

  @Test
  void whatTheCallbackThrowsReachesTheCaller() throws Exception {
    try (DistriPipeline p = pipeline(2)) {
      float[] expected = draw(p);
      IllegalStateException thrown = new IllegalStateException("as told");
      GenerationRequest failing =
          request()
              .callbackOnStepEnd(
                  s -> {
                    if (s.step() == 1) {
                      throw thrown;
                    }
                  })
              .build();
      assertSame(thrown, assertThrows(IllegalStateException.class, () -> p.generate(failing)));
      assertArrayEquals(expected, draw(p));
    }
    assertNoThreads();
  }

  @Test
  void anInterruptCancels() throws Exception {
    try (DistriPipeline p = pipeline(2)) {
      float[] expected = draw(p);
      List<Integer> steps = new ArrayList<>();
      GenerationRequest cancelled =
          request()
              .callbackOnStepEnd(
                  s -> {
                    steps.add(s.step());
                    Thread.currentThread().interrupt();
                  })
              .build();
      assertThrows(CancellationException.class, () -> p.generate(cancelled));
      assertEquals(List.of(0), steps);
      assertFalse(Thread.interrupted(), "the interrupt has been answered");
      assertArrayEquals(expected, draw(p));
    }
    assertNoThreads();
  }

  @Test
  void aDeadlineThatPassesCancels() throws Exception {
    try (DistriPipeline p = pipeline(2)) {
      float[] expected = draw(p);
      GenerationRequest late = request().deadline(Duration.ofNanos(1)).build();
      CancellationException e = assertThrows(CancellationException.class, () -> p.generate(late));
      assertEquals("the deadline passed before step 0", e.getMessage());
      assertArrayEquals(expected, draw(p));
    }
    assertNoThreads();
  }

  @Test
  void tooManyRanksAreRefusedAndThePipelineServesOn() throws Exception {
    try (DistriPipeline p = pipeline(3)) {
      float[] expected = draw(p);
      GenerationRequest flat = request().height(16).build();
      assertThrows(IllegalArgumentException.class, () -> p.generate(flat));
      assertArrayEquals(expected, draw(p));
    }
    assertNoThreads();
  }
}
