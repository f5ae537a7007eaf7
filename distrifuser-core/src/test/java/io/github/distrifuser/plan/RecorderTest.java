package io.github.distrifuser.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.local.LocalCommunicators;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.Denoisers;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.parallel.Fixtures;
import io.github.distrifuser.parallel.Parallelism;
import io.github.distrifuser.parallel.SplitScheme;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is recorded against what ranks that compute do. */
class RecorderTest {
  private static final int FACTOR = 8;

  static Workload workload(DistriConfig.Builder config, int rows) {
    return new Workload(
        Fixtures.unet(Map.of()),
        config.height(rows * FACTOR).width(9 * FACTOR).build(),
        FACTOR,
        1,
        DType.F32,
        10);
  }

  /** What a computing rank sends in each step, and the most memory that it takes. */
  private record Real(List<Long> bytesSent, long peakBytes) {}

  private static Real compute(Communicator world, Workload w, WeightStore weights) {
    try (Backend b = Fixtures.backend();
        Denoiser d = Denoisers.of(w.unet(), b, weights, world, w.recordedConfig())) {
      d.begin(w.inputs());
      NdArray sample = Fixtures.normal(1, w.sample().shape().toArray());
      List<Long> sent = new ArrayList<>();
      for (int i = 0; i < Workload.RECORDED; i++) {
        world.barrier(); // what the step before posted has been counted
        long before = world.stats().bytesSent();
        d.predict(sample, 500);
        world.barrier();
        sent.add(world.stats().bytesSent() - before);
      }
      return new Real(sent, b.memory().peakBytes());
    }
  }

  private static List<Real> onThreads(
      LocalCommunicators world, Function<Communicator, Real> program) {
    List<CompletableFuture<Real>> ranks =
        world.ranks().stream()
            .map(
                rank ->
                    CompletableFuture.supplyAsync(
                        () -> program.apply(rank), task -> new Thread(task).start()))
            .toList();
    return ranks.stream().map(f -> f.orTimeout(60, TimeUnit.SECONDS).join()).toList();
  }

  @ParameterizedTest
  @CsvSource({
    "1, 16, PATCH, CORRECTED_ASYNC_GN, false",
    "2, 16, PATCH, CORRECTED_ASYNC_GN, false",
    "3, 22, PATCH, STALE_GN, false",
    "4, 17, PATCH, SEPARATE_GN, false",
    "3, 22, PATCH, NO_SYNC, false",
    "2, 16, PATCH, FULL_SYNC, false",
    "4, 16, PATCH, SYNC_GN, true",
    "2, 16, NAIVE_PATCH, NO_SYNC, false",
    "2, 16, TENSOR, NO_SYNC, false",
    "4, 16, TENSOR, NO_SYNC, true",
  })
  void bytesAndMemoryAreThoseOfRanksThatCompute(
      int n, int rows, Parallelism parallelism, SyncMode mode, boolean splitBatch) {
    Workload w =
        workload(
            DistriConfig.builder()
                .parallelism(parallelism)
                .mode(mode)
                .splitBatch(splitBatch)
                .splitScheme(SplitScheme.ALTERNATE),
            rows);
    List<RankRecording> recorded = Recorder.record(w, n);
    List<Real> real;
    try (WeightStore weights = Fixtures.store();
        LocalCommunicators world = LocalCommunicators.create(n)) {
      real = onThreads(world, rank -> compute(rank, w, weights));
    }
    for (int r = 0; r < n; r++) {
      RankRecording mine = recorded.get(r);
      for (int step = 0; step < Workload.RECORDED; step++) {
        assertEquals(
            real.get(r).bytesSent.get(step), mine.bytesSent(step), "rank " + r + " step " + step);
      }
      assertEquals(real.get(r).peakBytes, mine.peakActivationBytes(), "rank " + r);
    }
  }

  @Test
  void ranksDivideTheMultiplications() {
    Workload w = workload(DistriConfig.builder().splitBatch(false), 16);
    long whole = macs(Recorder.record(w, 1).get(0));
    for (int n : new int[] {2, 4}) {
      long sum = Recorder.record(w, n).stream().mapToLong(RecorderTest::macs).sum();
      assertTrue(sum >= whole, "work is lost on " + n + " ranks");
      assertTrue(sum < 1.1 * whole, "of " + sum + " little is done twice: the time embedding");
    }
  }

  /** Of a step that repeats. */
  private static long macs(RankRecording r) {
    return r.operators(Workload.RECORDED - 1).stream().mapToLong(Operator::macs).sum();
  }

  @Test
  void stepsOfAGenerationAreLikeRecordedOnes() {
    Workload patch = workload(DistriConfig.builder().warmupSteps(2), 16);
    List<Integer> steps = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      steps.add(patch.recordedStep(i));
    }
    assertEquals(List.of(0, 1, 1, 2, 3, 5, 4, 5), steps);
    Workload naive = workload(DistriConfig.builder().parallelism(Parallelism.NAIVE_PATCH), 16);
    assertEquals(5, naive.recordedStep(1));
    assertEquals(4, naive.recordedStep(2));
  }

  @Test
  void tooManyRanksAreRefused() {
    Workload w = workload(DistriConfig.builder().splitBatch(false), 16);
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> Recorder.record(w, 5));
    assertTrue(e.getMessage().contains("5 ranks cannot split 16 rows"), e.getMessage());
  }
}
