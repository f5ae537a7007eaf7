package io.github.distrifuser.plan;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.BackendProvider;
import io.github.distrifuser.backend.Backends;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.Denoisers;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.weights.StateDict;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Phaser;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * This machine's CPUs, measured: a few steps of the model with random weights, operator by
 * operator, and messages over the loopback interface. Each number of ranks is played with that many
 * ranks side by side, each with its part of the picture, its share of the threads and weights of
 * its own, as processes have them, so that what they take from each other (cores, caches, memory's
 * bandwidth) is in the figures. They exchange nothing: what that costs is predicted.
 */
public final class Calibration {
  /**
   * Two synchronous steps, and two until all slots are under way: what later ones reuse is made.
   */
  private static final int UNTIMED = 4;

  /** The synchronous one in which all is planned. */
  private static final int SYNCHRONOUS = 1;

  /** At most; the one of median duration is taken. */
  private static final int TIMED = 9;

  /** After so long, no other step is timed. */
  private static final Duration ENOUGH = Duration.ofSeconds(20);

  /** Of more ranks than so many a core, as many are played, and taken to share the time. */
  private static final int RANKS_PER_CORE = 2;

  private final LoopbackProbe.Costs messages;
  private final Map<Integer, MeasuredDevice> byRanks;

  private Calibration(LoopbackProbe.Costs messages, Map<Integer, MeasuredDevice> byRanks) {
    this.messages = messages;
    this.byRanks = byRanks;
  }

  /**
   * Measures for ranks that divide the cores among themselves, as the launcher makes them. Takes as
   * much memory as they do.
   *
   * @param source what messages call the model
   * @param ranks numbers of ranks that will be asked for; one is always among them
   * @throws IllegalArgumentException where the picture cannot be divided so
   * @throws IllegalStateException where no backend computes on CPUs
   */
  public static Calibration run(Workload workload, String source, Collection<Integer> ranks) {
    BackendProvider provider = Backends.choose("cpu");
    LoopbackProbe.Costs messages =
        LoopbackProbe.measure(() -> provider.create(new BackendOptions(workload.dtype(), 1, 0)));
    Map<Integer, MeasuredDevice> byRanks = new TreeMap<>();
    StateDict weights = StateDict.random(source, 0);
    List<Integer> all = new ArrayList<>(ranks);
    all.add(1);
    for (int n : all) {
      byRanks.computeIfAbsent(n, k -> measure(workload, provider, weights, k, messages));
    }
    return new Calibration(messages, byRanks);
  }

  /** A rank's share of this machine where there are so many. */
  public DeviceModel device(int ranks) {
    MeasuredDevice d = byRanks.get(ranks);
    if (d == null) {
      throw new IllegalArgumentException(ranks + " ranks were not measured for");
    }
    return d;
  }

  /** Between processes of this machine. What cores do for messages is the devices' time. */
  public LinkModel link() {
    return new LinkModel("loopback", Double.MAX_VALUE, messages.latency() / 2, 0, false);
  }

  /** One rank's step: its operators, and how long it took with all between them. */
  private record Step(List<OperatorTimer.Sample> samples, double seconds) {}

  private static MeasuredDevice measure(
      Workload workload,
      BackendProvider provider,
      StateDict weights,
      int ranks,
      LoopbackProbe.Costs messages) {
    int cores = Runtime.getRuntime().availableProcessors();
    int side = Math.min(ranks, RANKS_PER_CORE * cores);
    BackendOptions share = new BackendOptions(workload.dtype(), Math.max(1, cores / ranks), 0);
    Phaser together = together(side);
    List<CompletableFuture<List<Step>>> played = new ArrayList<>();
    for (int i = 0; i < side; i++) {
      int rank = i;
      played.add(
          CompletableFuture.supplyAsync(
              () -> steps(workload, () -> provider.create(share), weights, ranks, rank, together),
              r -> new Thread(r, "distrifuser-calibration").start()));
    }
    List<List<Step>> all = played.stream().map(Calibration::join).toList();
    int median = median(all);
    List<OperatorTimer.Sample> samples = new ArrayList<>();
    List<OperatorTimer.Sample> others = new ArrayList<>();
    for (List<Step> rank : all) {
      samples.addAll(rank.get(median).samples);
      others.addAll(rank.get(SYNCHRONOUS).samples);
    }
    return new MeasuredDevice(samples, others, side * slowest(all, median), side, messages);
  }

  /** Begins steps on so many ranks at the same time, until enough have been timed. */
  private static Phaser together(int side) {
    return new Phaser(side) {
      private long start;

      @Override
      protected boolean onAdvance(int step, int registered) {
        if (step == UNTIMED) {
          start = System.nanoTime();
        }
        return registered == 0
            || step == UNTIMED + TIMED
            || (step > UNTIMED && System.nanoTime() - start > ENOUGH.toNanos());
      }
    };
  }

  /** Seconds of the slowest rank's step: the others wait for it, as in a generation. */
  private static double slowest(List<List<Step>> ranks, int step) {
    return ranks.stream().mapToDouble(r -> r.get(step).seconds).max().orElse(0);
  }

  /** The timed step of median duration. */
  private static int median(List<List<Step>> ranks) {
    List<Integer> timed =
        IntStream.range(UNTIMED, ranks.get(0).size())
            .boxed()
            .sorted(Comparator.comparingDouble(i -> slowest(ranks, i)))
            .toList();
    return timed.get(timed.size() / 2);
  }

  private static <T> T join(CompletableFuture<T> rank) {
    try {
      return rank.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof Error error) {
        throw error; // such as one of memory
      }
      throw e.getCause() instanceof RuntimeException r ? r : e;
    }
  }

  private static List<Step> steps(
      Workload workload,
      Supplier<Backend> backends,
      StateDict dict,
      int ranks,
      int rank,
      Phaser together) {
    try (Backend backend = backends.get();
        WeightStore weights = new WeightStore(dict)) {
      return steps(workload, new OperatorTimer(backend), weights, ranks, rank, together);
    } finally {
      together.arriveAndDeregister(); // where it failed, the others need not wait
    }
  }

  private static List<Step> steps(
      Workload workload,
      OperatorTimer timer,
      WeightStore weights,
      int ranks,
      int rank,
      Phaser together) {
    List<Step> all = new ArrayList<>();
    try (Denoiser denoiser =
        Denoisers.of(
            workload.unet(),
            timer.backend(),
            weights,
            new RecordingCommunicator(new StepRecorder(), ranks, rank),
            workload.recordedConfig())) {
      denoiser.begin(workload.inputs());
      NdArray sample = workload.sample();
      for (together.arriveAndAwaitAdvance();
          !together.isTerminated();
          together.arriveAndAwaitAdvance()) {
        timer.beginStep();
        long start = System.nanoTime();
        denoiser.predict(sample, 500);
        all.add(new Step(timer.samples(), (System.nanoTime() - start) * 1e-9));
      }
      return all;
    }
  }
}
