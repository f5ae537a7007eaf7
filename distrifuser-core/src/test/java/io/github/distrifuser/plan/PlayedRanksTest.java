package io.github.distrifuser.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.reference.ReferenceBackend;
import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.parallel.Fixtures;
import io.github.distrifuser.parallel.Parallelism;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(120) // seconds; for ranks that would wait for ever
class PlayedRanksTest {
  private static final int ROWS = 16;

  private static Workload workload(Parallelism parallelism) {
    return RecorderTest.workload(
        DistriConfig.builder().splitBatch(false).parallelism(parallelism), ROWS);
  }

  private static PlayedRanks play(
      Function<BackendOptions, Backend> backends, Workload w, int ranks, int cores) {
    return new PlayedRanks(w, backends, Fixtures.weights(7), ranks, cores);
  }

  private static PlayedRanks play(Workload w, int ranks, int cores) {
    return play(ReferenceBackend::new, w, ranks, cores);
  }

  /** Reads are timed with what lies between operators. */
  private static List<String> recorded(Workload w, int ranks, int step) {
    return Recorder.record(w, ranks).stream()
        .flatMap(r -> r.operators(step).stream())
        .map(Operator::name)
        .filter(name -> !name.equals("read"))
        .toList();
  }

  private static List<String> names(List<OperatorTimer.Sample> samples) {
    return samples.stream().map(s -> s.operator().name()).toList();
  }

  @ParameterizedTest
  @EnumSource
  void theOperatorsOfAllRanksAreTimedAndThenTheyExchange(Parallelism parallelism) {
    Workload w = workload(parallelism);
    PlayedRanks p = play(w, 2, 2);
    assertEquals(2, p.side());
    assertEquals(recorded(w, 2, 1), names(p.synchronous()));
    assertEquals(recorded(w, 2, Workload.RECORDED - 1), names(p.steady()));
    double sum = p.steady().stream().mapToDouble(OperatorTimer.Sample::seconds).sum();
    assertTrue(sum > 0 && sum < 2 * p.steadySeconds(), "operators are parts of the steps");
    assertTrue(p.exchangingSeconds().orElseThrow() > 0);
  }

  @Test
  void oneRankExchangesNothing() {
    assertTrue(play(workload(Parallelism.PATCH), 1, 1).exchangingSeconds().isEmpty());
  }

  @Test
  void ofMoreThanTwoACoreTwoArePlayed() {
    PlayedRanks p = play(workload(Parallelism.PATCH), 4, 1);
    assertEquals(2, p.side());
    assertFalse(p.steady().isEmpty());
    assertTrue(p.exchangingSeconds().isEmpty());
  }

  /** Its reason counts, and not that others had to end for want of it. */
  @Test
  void aRankThatFailsIsNamed() {
    AtomicInteger created = new AtomicInteger();
    Function<BackendOptions, Backend> second =
        options -> {
          if (created.incrementAndGet() > 1) {
            throw new IllegalStateException("no device left");
          }
          return new ReferenceBackend(options);
        };
    CommException e =
        assertThrows(CommException.class, () -> play(second, workload(Parallelism.PATCH), 2, 2));
    assertTrue(
        e.getMessage().matches("rank [01] failed in calibration: no device left"), e.getMessage());
  }

  @Test
  void aPictureThatCannotBeDividedIsSaidAsItIs() {
    Workload w =
        RecorderTest.workload(DistriConfig.builder().splitBatch(false), 4); // one cut for two
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> play(w, 2, 2));
    assertFalse(e.getMessage().contains("rank 0 failed"), e.getMessage());
  }
}
