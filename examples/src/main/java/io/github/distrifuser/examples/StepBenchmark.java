package io.github.distrifuser.examples;

import io.github.distrifuser.backend.Winograd;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.DelayedCommunicator;
import io.github.distrifuser.comm.RankEnvironment;
import io.github.distrifuser.comm.tcp.TcpCommunicators;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.pipelines.DistriPipeline;
import io.github.distrifuser.pipelines.GenerationRequest;
import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.OutputType;
import io.github.distrifuser.pipelines.Pipelines;
import io.github.distrifuser.pipelines.RunReport;
import io.github.distrifuser.progress.ProgressReporter;
import io.github.distrifuser.random.TorchGenerator;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Seconds of a denoising step after warm-up, without batch split, and how long ranks waited for
 * each other in it: what docs/PERFORMANCE.md says of scaling and of overlap. Prints one line on
 * rank 0.
 *
 * <p>Arguments: model, side of the picture in pixels, sync mode, number of measured steps, and
 * milliseconds by which every message between processes is delayed (default 0), and {@code auto}
 * (default) or {@code off} for Winograd's convolutions, and steps before the measured ones (default
 * 2). Ranks are what the launcher makes; {@code scripts/bench/scaling} runs the comparison. JVMs
 * compile during the first steps, ten and more of them where ranks share cores.
 */
public final class StepBenchmark {
  /** The synchronous step, and the first asynchronous one. */
  private static final int LEAST_WARM_UP = 2;

  private StepBenchmark() {}

  public static void main(String[] args) {
    if (args.length < 4) {
      System.err.println(
          "error: arguments: MODEL SIZE SYNC_MODE STEPS [DELAY_MS [auto|off [WARM_UP]]]");
      System.exit(2);
    }
    int size = Integer.parseInt(args[1]);
    int steps = Integer.parseInt(args[3]);
    Winograd winograd =
        args.length > 5 ? Winograd.valueOf(args[5].toUpperCase(Locale.ROOT)) : Winograd.AUTO;
    int warmUp =
        Math.max(LEAST_WARM_UP, args.length > 6 ? Integer.parseInt(args[6]) : LEAST_WARM_UP);
    Duration delay = Duration.ofMillis(args.length > 4 ? Long.parseLong(args[4]) : 0);
    DistriConfig config =
        DistriConfig.builder()
            .height(size)
            .width(size)
            .splitBatch(false)
            .warmupSteps(0)
            .mode(SyncMode.of(args[2]))
            .build();
    try (Communicator world = world(delay);
        DistriPipeline p = Pipelines.fromPretrained(config, args[0], options(world, winograd))) {
      p.setProgressBarConfig(ProgressReporter.Config.disable(true));
      RunReport r =
          p.generate(
                  GenerationRequest.builder()
                      .prompt("a lighthouse at dusk")
                      .height(size)
                      .width(size)
                      .numInferenceSteps(warmUp + steps)
                      .outputType(OutputType.LATENT)
                      .generator(new TorchGenerator(0))
                      .build())
              .report();
      if (p.rank() == 0) {
        print(args[2], delay, p.worldSize(), p.parts().threadsPerRank(), warmUp, r);
      }
    }
  }

  /** The processes that the launcher started; threads are made by the pipeline. */
  private static Communicator world(Duration delay) {
    Communicator inner =
        TcpCommunicators.connect(
            RankEnvironment.of(System.getenv()), Map.of(), Duration.ofMinutes(5));
    return delay.isZero() ? inner : new DelayedCommunicator(inner, delay);
  }

  private static LoadOptions options(Communicator world, Winograd winograd) {
    LoadOptions.Builder b = LoadOptions.builder();
    return (world.size() > 1 ? b.communicator(world) : b)
        .winograd(winograd)
        .threads(Integer.parseInt(System.getenv().getOrDefault("DISTRIFUSER_THREADS", "0")))
        .build();
  }

  private static void print(
      String mode, Duration delay, int ranks, int threads, int warmUp, RunReport r) {
    List<Double> measured = r.stepSeconds().subList(warmUp, r.stepSeconds().size());
    double[] sorted = measured.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    double sum = measured.stream().mapToDouble(Double::doubleValue).sum();
    double waited = 0;
    for (List<Double> rank : r.waitSecondsPerStep()) {
      double w = rank.subList(warmUp, rank.size()).stream().mapToDouble(Double::doubleValue).sum();
      waited = Math.max(waited, w);
    }
    System.out.printf(
        Locale.ROOT,
        "%d ranks of %d threads, %s, delay %d ms: step %.3f s (median of %d; least %.3f), waited"
            + " %.2f %%%n",
        ranks,
        threads,
        mode,
        delay.toMillis(),
        sorted[sorted.length / 2],
        sorted.length,
        sorted[0],
        100 * waited / sum);
  }
}
