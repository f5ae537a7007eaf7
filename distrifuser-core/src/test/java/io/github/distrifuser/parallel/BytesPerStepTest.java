package io.github.distrifuser.parallel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.tensor.NdArray;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What ranks really send in a step, kind by kind, against the formula. */
class BytesPerStepTest {
  private static final int WARM_UP = 1;
  private static final int STEPS = 5;

  private final WeightStore weights = Fixtures.store();

  /**
   * What a rank's plan says, and what its communicator counted in each step.
   *
   * @param plan by kind
   */
  private record Sent(Map<ExchangeKind, Long> plan, List<Long> steps) {}

  private Sent run(Communicator world, UNetConfig unet, DistriConfig c, DenoiserInputs in) {
    try (Backend b = Fixtures.backend()) {
      PatchDenoiser d = new PatchDenoiser(unet, b, weights, world, c);
      d.begin(in);
      NdArray sample = Fixtures.normal(5, in.batch(), 4, in.height(), in.width());
      Long[] steps = new Long[STEPS];
      for (int i = 0; i < STEPS; i++) {
        world.barrier(); // what the step before posted has been counted
        long before = world.stats().bytesSent();
        d.predict(sample, 900 - i);
        world.barrier();
        steps[i] = world.stats().bytesSent() - before;
      }
      Map<ExchangeKind, Long> plan = new EnumMap<>(d.exchangePlan().bytesByKind());
      d.end();
      return new Sent(plan, List.of(steps));
    }
  }

  private static Set<ExchangeKind> kinds(SyncMode mode) {
    return switch (mode) {
      case CORRECTED_ASYNC_GN, STALE_GN, SYNC_GN, FULL_SYNC -> Set.of(ExchangeKind.values());
      case SEPARATE_GN ->
          Set.of(ExchangeKind.HALO, ExchangeKind.KEY_VALUE, ExchangeKind.PREDICTION);
      case NO_SYNC -> Set.of(ExchangeKind.PREDICTION);
    };
  }

  @ParameterizedTest
  @CsvSource({
    "2, 16, CORRECTED_ASYNC_GN",
    "2, 16, FULL_SYNC",
    "2, 16, NO_SYNC",
    "3, 22, SYNC_GN",
    "3, 22, CORRECTED_ASYNC_GN",
    "4, 17, STALE_GN",
    "4, 17, SEPARATE_GN",
    "5, 27, CORRECTED_ASYNC_GN"
  })
  void bytesAreThoseOfTheFormula(int n, int rows, SyncMode mode) {
    UNetConfig unet = Fixtures.unet(Map.of("transformer_layers_per_block", List.of(1, 2, 1)));
    DenoiserInputs in = Fixtures.inputs(2, rows, 9, true);
    DistriConfig c =
        DistriConfig.builder()
            .mode(mode)
            .warmupSteps(WARM_UP)
            .splitBatch(false)
            .commCheckpoint(5)
            .build();
    List<Sent> all = Ranks.run(n, world -> run(world, unet, c, in));
    for (int rank = 0; rank < n; rank++) {
      BytesFormula formula = new BytesFormula(unet, 2, rows, 9, n, rank);
      Map<ExchangeKind, Long> expected = formula.byKind(n);
      Sent sent = all.get(rank);
      for (ExchangeKind k : ExchangeKind.values()) {
        if (k != ExchangeKind.PREDICTION) {
          assertEquals(expected.get(k), sent.plan.get(k), "rank " + rank + " of " + n + ": " + k);
        }
      }
      long synchronous = expected.values().stream().mapToLong(Long::longValue).sum();
      long steady = kinds(mode).stream().mapToLong(expected::get).sum();
      assertEquals(synchronous, sent.steps.get(0), "rank " + rank + ", synchronous step");
      assertEquals(steady, sent.steps.get(STEPS - 1), "rank " + rank + ", steady step");
      assertTrue(synchronous <= formula.original(n), "more than the original sends");
    }
  }
}
