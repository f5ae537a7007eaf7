package io.github.distrifuser.parallel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.tensor.NdArray;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Denoisers whose steps are captured give the same bits as those whose steps are not. */
class CapturedDenoisersTest {
  private static final UNetConfig UNET = Fixtures.unet(Map.of());
  private static final int STEPS = 7;

  private final WeightStore weights = Fixtures.store();

  /** What a rank saw. */
  private record Outcome(List<NdArray> predictions, int captures, int replays, int operators) {}

  private static NdArray sample(DenoiserInputs in, int step) {
    return Fixtures.normal(50 + step, in.batch(), 4, in.height(), in.width());
  }

  private static List<NdArray> generation(Denoiser d, DenoiserInputs in, int steps) {
    d.begin(in);
    List<NdArray> all = new ArrayList<>();
    for (int i = 0; i < steps; i++) {
      all.add(d.predict(sample(in, i), 900 - 100 * i));
    }
    d.end();
    return all;
  }

  private static DenoiserInputs prompt(int seed, int batch, int height, int width) {
    return new DenoiserInputs(
        batch, height, width, true, Fixtures.normal(seed, batch, 5, 6), null, null, null);
  }

  private interface Program {
    List<NdArray> run(Denoiser denoiser, CapturingRig rig, int rank);
  }

  private List<Outcome> ranks(int n, DistriConfig config, Program program) {
    return Ranks.run(
        n,
        world -> {
          CapturingRig rig = new CapturingRig();
          Communicator communicator = rig.communicator(world);
          try (Backend b = rig.backend()) {
            List<NdArray> predictions;
            try (Denoiser d = Denoisers.of(UNET, b, weights, communicator, config)) {
              predictions = program.run(d, rig, world.rank());
            }
            assertEquals(0, b.memory().liveTensors(), "tensors left open");
            return new Outcome(predictions, rig.captures(), rig.replays(), rig.operators());
          }
        });
  }

  private List<Outcome> same(int n, DistriConfig.Builder config, Program program) {
    List<Outcome> eager = ranks(n, config.useCudaGraph(false).build(), program);
    List<Outcome> captured = ranks(n, config.useCudaGraph(true).build(), program);
    for (int i = 0; i < n; i++) {
      assertEquals(0, eager.get(i).captures);
      assertEquals(eager.get(i).predictions, captured.get(i).predictions, "rank " + i);
    }
    return captured;
  }

  private static DistriConfig.Builder config(Parallelism p, SyncMode mode) {
    return DistriConfig.builder().parallelism(p).mode(mode).warmupSteps(2).commCheckpoint(5);
  }

  @ParameterizedTest
  @CsvSource({
    "PATCH, CORRECTED_ASYNC_GN, 5",
    "PATCH, STALE_GN, 1000",
    "PATCH, SYNC_GN, 1000",
    "PATCH, SEPARATE_GN, 1",
    "PATCH, FULL_SYNC, 60",
    "PATCH, NO_SYNC, 60",
    "TENSOR, FULL_SYNC, 60",
    "NAIVE_PATCH, FULL_SYNC, 60"
  })
  void generationsAreTheSameBits(Parallelism p, SyncMode mode, int checkpoint) {
    DistriConfig.Builder c =
        config(p, mode).commCheckpoint(checkpoint).splitScheme(SplitScheme.ALTERNATE);
    Program two =
        (d, rig, rank) -> {
          List<NdArray> all = new ArrayList<>(generation(d, prompt(1, 2, 16, 16), STEPS));
          all.addAll(generation(d, prompt(2, 2, 16, 16), STEPS));
          return all;
        };
    for (Outcome o : same(4, c, two)) {
      // Patches: three synchronous steps, a first asynchronous one, three others; twice.
      int captures = p == Parallelism.PATCH ? 3 : p == Parallelism.NAIVE_PATCH ? 2 : 1;
      assertEquals(captures, o.captures);
      assertEquals(2 * STEPS - captures, o.replays, "all but the first of each kind");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void otherShapesGetGraphsOfTheirOwn(int n) {
    Program shapes =
        (d, rig, rank) -> {
          List<NdArray> all = new ArrayList<>();
          for (int round = 0; round < 2; round++) {
            for (int height : new int[] {8, 12, 16, 20, 24, 8}) {
              all.addAll(generation(d, prompt(height + round, 2, height, 8), 4));
            }
          }
          return all;
        };
    for (Outcome o : same(n, config(Parallelism.PATCH, SyncMode.FULL_SYNC), shapes)) {
      assertTrue(o.captures >= 6, "" + o.captures);
    }
  }

  @Test
  void aReplayCallsNothingButTheStepsOwnInputsAndOutputs() {
    Program program =
        (d, rig, rank) -> {
          generation(d, prompt(1, 2, 8, 8), 3);
          int before = rig.operators();
          List<NdArray> again = generation(d, prompt(2, 2, 8, 8), 6);
          int called = rig.operators() - before;
          // inputs once, sample, timestep and prediction in each step; and the prompt's keys
          assertTrue(rig.captures() == 0 || called < 6 * 3 + 12, "" + called);
          return again;
        };
    same(1, config(Parallelism.PATCH, SyncMode.FULL_SYNC), program);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void otherEmbeddingsTakeEffectAtOnce(int n) {
    Program program =
        (d, rig, rank) -> {
          List<NdArray> all = new ArrayList<>();
          DenoiserInputs in = prompt(1, 2, 16, 8);
          d.begin(in);
          for (int i = 0; i < 9; i++) {
            if (i == 3) {
              d.replaceEmbeddings(prompt(2, 2, 16, 8));
            }
            if (i == 6) { // of another length
              NdArray longer = Fixtures.normal(9, 2, 8, 6);
              d.replaceEmbeddings(new DenoiserInputs(2, 16, 8, true, longer, null, null, null));
            }
            all.add(d.predict(sample(in, i), 900 - 50 * i));
          }
          d.end();
          return all;
        };
    same(n, config(Parallelism.PATCH, SyncMode.CORRECTED_ASYNC_GN).warmupSteps(1), program);
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "1, 40", "2, 1", "2, 30", "2, 200"})
  void aCaptureThatFailsOnOneRankChangesNothing(int n, int operator) {
    Program program =
        (d, rig, rank) -> {
          List<NdArray> all = new ArrayList<>();
          DenoiserInputs in = prompt(1, 2, 16, 8);
          for (int g = 0; g < 2; g++) {
            d.begin(in);
            for (int i = 0; i < STEPS; i++) {
              if (rank == n - 1 && g == 0 && (i == 1 || i == 5)) {
                rig.failCaptured(operator);
              }
              all.add(d.predict(sample(in, i), 900 - 50 * i));
              rig.failCaptured(-1);
            }
            d.end();
          }
          return all;
        };
    DistriConfig.Builder c = config(Parallelism.PATCH, SyncMode.CORRECTED_ASYNC_GN);
    List<Outcome> outcomes = same(n, c.splitBatch(false), program);
    for (Outcome o : outcomes) {
      assertTrue(o.replays > 0 && o.replays < 2 * STEPS - 1, "" + o.replays);
      assertEquals(outcomes.get(0).replays, o.replays, "all ranks replay the same steps");
    }
  }
}
