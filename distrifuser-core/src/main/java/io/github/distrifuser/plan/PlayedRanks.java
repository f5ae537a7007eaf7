package io.github.distrifuser.plan;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.Denoisers;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.parallel.RankFailures;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.weights.StateDict;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalDouble;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Phaser;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Ranks that compute side by side in threads of this JVM, each with its part of the picture, its
 * share of the cores and weights of its own, as processes have them, so that what they take from
 * each other (cores, caches, memory's bandwidth) is in their times. They take some steps without a
 * peer, operators timed, and then, where all ranks are played, some in which they exchange all that
 * a synchronous step does.
 */
final class PlayedRanks {
  /**
   * Two synchronous steps, and two until all slots are under way: what later ones reuse is made.
   */
  private static final int UNTIMED_ALONE = 4;

  /** The synchronous one in which all has been planned. */
  private static final int SYNCHRONOUS_STEP = 1;

  /** The first plans. */
  private static final int UNTIMED_TOGETHER = 2;

  /** Once they meet before they connect. */
  private static final int MEETING = 1;

  /** At most; the one of median duration is taken. */
  private static final int TIMED = 9;

  /** After so long, no other step is timed. */
  private static final Duration ENOUGH = Duration.ofSeconds(30);

  /** At most so many are played. */
  private static final int RANKS_PER_CORE = 2;

  private final Workload workload;
  private final Function<BackendOptions, Backend> backends;
  private final StateDict dict;
  private final int ranks;
  private final int side;
  private final BackendOptions share;
  private final Phaser paceAlone;
  private final Phaser paceTogether;
  private final List<Played> played;
  private @Nullable LoopbackWorld world;

  /** One rank's step: its operators where they were timed, and how long all of it took. */
  private record Step(List<OperatorTimer.Sample> samples, double seconds) {}

  /** One rank's steps without a peer, and with all others. */
  private record Played(List<Step> alone, List<Step> together) {}

  /**
   * Plays.
   *
   * @param backends makes each rank's
   * @param dict weights of the model
   * @param ranks into how many the picture is divided
   * @param cores which they share
   * @throws IllegalArgumentException where the picture cannot be divided so
   * @throws CommException naming the rank that failed
   */
  PlayedRanks(
      Workload workload,
      Function<BackendOptions, Backend> backends,
      StateDict dict,
      int ranks,
      int cores) {
    this.workload = workload;
    this.backends = backends;
    this.dict = dict;
    this.ranks = ranks;
    this.side = Math.min(ranks, RANKS_PER_CORE * cores);
    this.share = new BackendOptions(workload.dtype(), Math.max(1, cores / ranks), 0);
    this.paceAlone = pace(side, UNTIMED_ALONE);
    this.paceTogether = pace(side, MEETING + UNTIMED_TOGETHER);
    this.played = playAll();
  }

  private List<Played> playAll() {
    List<CompletableFuture<Played>> started = new ArrayList<>();
    for (int i = 0; i < side; i++) {
      int rank = i;
      started.add(
          CompletableFuture.supplyAsync(
              () -> play(rank),
              task -> {
                Thread t = new Thread(task, "distrifuser-calibration");
                t.setDaemon(true); // where not all can be started, the others wait
                t.start();
              }));
    }
    RankFailures failures = new RankFailures(side);
    List<Played> all = new ArrayList<>();
    for (int i = 0; i < side; i++) {
      try {
        all.add(started.get(i).join());
      } catch (CompletionException e) {
        failures.add(i, e.getCause());
      }
    }
    failures.rethrow("calibration");
    return all;
  }

  /** How many were played. */
  int side() {
    return side;
  }

  /** Operators of all ranks' steady step. */
  List<OperatorTimer.Sample> steady() {
    int median = median(stepsAlone());
    return played.stream().flatMap(p -> p.alone.get(median).samples.stream()).toList();
  }

  /** Operators of all ranks' synchronous step. */
  List<OperatorTimer.Sample> synchronous() {
    return played.stream().flatMap(p -> p.alone.get(SYNCHRONOUS_STEP).samples.stream()).toList();
  }

  /** Seconds of a steady step without a peer. */
  double steadySeconds() {
    return slowest(stepsAlone(), median(stepsAlone()));
  }

  /**
   * Seconds of a synchronous step with all that it exchanges; empty for one rank, and where not all
   * were played.
   */
  OptionalDouble exchangingSeconds() {
    List<List<Step>> steps = played.stream().map(Played::together).toList();
    return steps.get(0).isEmpty()
        ? OptionalDouble.empty()
        : OptionalDouble.of(slowest(steps, median(steps, UNTIMED_TOGETHER)));
  }

  private List<List<Step>> stepsAlone() {
    return played.stream().map(Played::alone).toList();
  }

  private static int median(List<List<Step>> ranks) {
    return median(ranks, UNTIMED_ALONE);
  }

  /** The timed step of median duration. */
  private static int median(List<List<Step>> ranks, int untimed) {
    List<Integer> timed =
        IntStream.range(untimed, ranks.get(0).size())
            .boxed()
            .sorted(Comparator.comparingDouble(i -> slowest(ranks, i)))
            .toList();
    return timed.get(timed.size() / 2);
  }

  /** Seconds of the slowest rank's step: the others wait for it, as in a generation. */
  private static double slowest(List<List<Step>> ranks, int step) {
    return ranks.stream().mapToDouble(r -> r.get(step).seconds).max().orElse(0);
  }

  /** Begins steps on so many ranks at the same time, until enough have been timed. */
  private static Phaser pace(int side, int untimed) {
    return new Phaser(side) {
      private long start;

      @Override
      protected boolean onAdvance(int step, int registered) {
        if (step == untimed) {
          start = System.nanoTime();
        }
        return registered < side // one has failed
            || step == untimed + TIMED
            || (step > untimed && System.nanoTime() - start > ENOUGH.toNanos());
      }
    };
  }

  private Played play(int rank) {
    try (Backend backend = backends.apply(share);
        WeightStore weights = new WeightStore(dict)) {
      List<Step> alone = playAlone(backend, weights, rank);
      boolean exchanges = ranks > 1 && side == ranks;
      return new Played(alone, exchanges ? playTogether(backend, weights, rank) : List.of());
    } finally {
      paceAlone.arriveAndDeregister(); // where it failed, the others need not wait
      paceTogether.arriveAndDeregister();
    }
  }

  private List<Step> playAlone(Backend backend, WeightStore weights, int rank) {
    OperatorTimer timer = new OperatorTimer(backend);
    Communicator nobody = new RecordingCommunicator(new StepRecorder(), ranks, rank);
    List<Step> all = new ArrayList<>();
    try (Denoiser d =
        Denoisers.of(
            workload.unet(), timer.backend(), weights, nobody, workload.recordedConfig())) {
      d.begin(workload.inputs());
      NdArray sample = workload.sample();
      while (next(paceAlone)) {
        timer.beginStep();
        double seconds = step(d, sample);
        all.add(new Step(timer.samples(), seconds));
      }
    }
    return all;
  }

  private List<Step> playTogether(Backend backend, WeightStore weights, int rank) {
    if (!next(paceTogether)) { // one has failed alone
      return List.of();
    }
    DistriConfig synchronous =
        workload.config().toBuilder().warmupSteps(UNTIMED_TOGETHER + TIMED).build();
    List<Step> all = new ArrayList<>();
    try (Communicator others = world().connect(rank);
        Denoiser d = Denoisers.of(workload.unet(), backend, weights, others, synchronous)) {
      d.begin(workload.inputs());
      NdArray sample = workload.sample();
      while (next(paceTogether)) {
        all.add(new Step(List.of(), step(d, sample)));
      }
    }
    return all;
  }

  /** Made when it is needed, for its port is not kept before. */
  private synchronized LoopbackWorld world() {
    if (world == null) {
      world = LoopbackWorld.of(ranks);
    }
    return world;
  }

  /** Whether there is another step, once all have come to it. */
  private static boolean next(Phaser pace) {
    pace.arriveAndAwaitAdvance();
    return !pace.isTerminated();
  }

  private static double step(Denoiser d, NdArray sample) {
    long start = System.nanoTime();
    d.predict(sample, 500);
    return (System.nanoTime() - start) * 1e-9;
  }
}
