package io.github.distrifuser.launch;

import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.pipelines.DistriPipeline;
import io.github.distrifuser.pipelines.Pipelines;
import java.time.Duration;

/** A pipeline's life in a main: made on all ranks, used, and left by none before all are done. */
final class PipelineRun {
  /**
   * How long ranks wait for rank 0 to decode and write: one that dies or hangs is noticed sooner.
   */
  private static final Duration RESULTS_TIMEOUT = Duration.ofDays(1);

  private PipelineRun() {}

  /** What a main does with its pipeline. */
  @FunctionalInterface
  interface Body {
    /**
     * Runs on every rank.
     *
     * @param loadSeconds how long the pipeline took to load
     */
    void run(DistriPipeline pipeline, double loadSeconds);
  }

  /** Loads and runs; where the body fails the other ranks are told why. */
  static void run(PipelineOptions options, Body body) {
    long begin = System.nanoTime();
    try (DistriPipeline pipeline =
        Pipelines.fromPretrained(
            options.distriConfig(), options.model, options.loadOptions().build())) {
      double loadSeconds = (System.nanoTime() - begin) * 1e-9;
      try {
        body.run(pipeline, loadSeconds);
        // No rank leaves before rank 0 has written all: one that fails in it is noticed.
        pipeline.communicator().barrier();
      } catch (RuntimeException | Error e) {
        pipeline.communicator().abort(CommandLineTool.message(e));
        throw e;
      }
    }
  }

  /** Rank 0 decodes and writes; however long that takes, the others wait for it. */
  static void expectResults(DistriPipeline pipeline) {
    pipeline.communicator().progress("writing the results");
    pipeline.communicator().setTimeout(RESULTS_TIMEOUT);
  }

  /** Returns once rank 0 has written, on all ranks; they wait no longer than usual again. */
  static void resultsWritten(DistriPipeline pipeline) {
    pipeline.communicator().barrier();
    pipeline.communicator().setTimeout(Communicator.DEFAULT_TIMEOUT);
  }
}
