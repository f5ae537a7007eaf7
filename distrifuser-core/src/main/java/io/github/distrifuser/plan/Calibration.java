package io.github.distrifuser.plan;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.BackendProvider;
import io.github.distrifuser.backend.Backends;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.unet.UNetDenoiser;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.weights.StateDict;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Phaser;

/**
 * This machine's CPUs, measured: a few steps of the model with random weights on one rank, operator
 * by operator, and messages over the loopback interface. Where several ranks share the cores, each
 * with some of the threads, as many independent ones compute side by side, each a part of the
 * picture, so that what cores take from each other is in the figures. Nothing is exchanged between
 * them: what that costs is predicted.
 */
public final class Calibration {
  /** The first step makes what later ones reuse. */
  private static final int UNTIMED = 1;

  private static final int TIMED = 2;

  private final int cores;
  private final Map<Integer, MeasuredDevice> byThreads;

  private final LoopbackProbe.Costs messages;

  private Calibration(
      int cores, LoopbackProbe.Costs messages, Map<Integer, MeasuredDevice> byThreads) {
    this.cores = cores;
    this.messages = messages;
    this.byThreads = byThreads;
  }

  /**
   * Measures for ranks that divide the cores among themselves, as the launcher makes them.
   *
   * @param source what messages call the model
   * @param ranks numbers of ranks that will be asked for; one is always among them
   * @throws IllegalStateException where no backend computes on CPUs
   */
  public static Calibration run(Workload workload, String source, Collection<Integer> ranks) {
    int cores = Runtime.getRuntime().availableProcessors();
    BackendProvider provider = Backends.choose("cpu");
    LoopbackProbe.Costs messages =
        LoopbackProbe.measure(() -> provider.create(new BackendOptions(workload.dtype(), 1, 0)));
    Map<Integer, MeasuredDevice> byThreads = new TreeMap<>();
    try (WeightStore weights = new WeightStore(StateDict.random(source, 0))) {
      List<Integer> all = new ArrayList<>(ranks);
      all.add(1);
      for (int n : all) {
        byThreads.computeIfAbsent(
            threads(cores, n), t -> measure(workload, provider, weights, t, cores / t, messages));
      }
    }
    return new Calibration(cores, messages, byThreads);
  }

  private static int threads(int cores, int ranks) {
    return Math.max(1, cores / ranks);
  }

  /** A rank's share of this machine where there are so many. */
  public DeviceModel device(int ranks) {
    MeasuredDevice d = byThreads.get(threads(cores, ranks));
    if (d == null) {
      throw new IllegalArgumentException(ranks + " ranks were not measured for");
    }
    return d;
  }

  /** Between processes of this machine. What cores do for messages is the devices' time. */
  public LinkModel link() {
    return new LinkModel("loopback", Double.MAX_VALUE, messages.latency() / 2, 0, false);
  }

  /** One rank's step. */
  private record Step(List<OperatorTimer.Sample> samples, double seconds) {}

  private static MeasuredDevice measure(
      Workload workload,
      BackendProvider provider,
      WeightStore weights,
      int threads,
      int side,
      LoopbackProbe.Costs messages) {
    Workload part = workload.part(side);
    Phaser together = new Phaser(side);
    List<CompletableFuture<Step>> ranks = new ArrayList<>();
    for (int i = 0; i < side; i++) {
      ranks.add(
          CompletableFuture.supplyAsync(
              () -> steps(part, provider, weights, threads, together),
              r -> new Thread(r, "distrifuser-calibration").start()));
    }
    List<OperatorTimer.Sample> samples = new ArrayList<>();
    double seconds = 0;
    for (CompletableFuture<Step> r : ranks) {
      Step s = join(r);
      samples.addAll(s.samples);
      seconds += s.seconds;
    }
    return new MeasuredDevice(samples, seconds, side, messages);
  }

  private static Step join(CompletableFuture<Step> rank) {
    try {
      return rank.join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof RuntimeException r ? r : e;
    }
  }

  private static Step steps(
      Workload part, BackendProvider provider, WeightStore weights, int threads, Phaser together) {
    try (Backend computing = provider.create(new BackendOptions(part.dtype(), threads, 0))) {
      OperatorTimer timer = new OperatorTimer(computing);
      List<OperatorTimer.Sample> samples = new ArrayList<>();
      double seconds = 0;
      try (Denoiser d = new UNetDenoiser(part.unet(), new Layers(timer.backend(), weights))) {
        d.begin(part.inputs());
        NdArray sample = part.sample();
        for (int i = 0; i < UNTIMED + TIMED; i++) {
          timer.beginStep();
          together.arriveAndAwaitAdvance();
          long start = System.nanoTime();
          d.predict(sample, 500);
          if (i >= UNTIMED) {
            seconds += (System.nanoTime() - start) * 1e-9;
            samples.addAll(timer.samples());
          }
        }
      }
      return new Step(samples, seconds);
    } finally {
      together.arriveAndDeregister(); // where it failed, the others need not wait
    }
  }
}
