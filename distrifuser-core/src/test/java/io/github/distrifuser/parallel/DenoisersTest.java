package io.github.distrifuser.parallel;

import static io.github.distrifuser.tensor.TensorAssertions.assertAllClose;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.models.unet.UNetConfig;
import io.github.distrifuser.models.unet.UNetDenoiser;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.tensor.NdArray;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A whole UNet on several ranks against one rank. */
class DenoisersTest {
  private static final UNetConfig UNET = Fixtures.unet(Map.of());
  private static final float ATOL = 2e-4f;

  private final WeightStore weights = Fixtures.store();

  private static DistriConfig.Builder config(Parallelism p) {
    return DistriConfig.builder().parallelism(p).mode(SyncMode.FULL_SYNC).commCheckpoint(5);
  }

  private Denoiser denoiser(Backend b, Communicator world, DistriConfig c) {
    return switch (c.parallelism()) {
      case PATCH -> new PatchDenoiser(UNET, b, weights, world, c);
      case TENSOR -> new TensorParallelDenoiser(UNET, b, weights, world, c);
      case NAIVE_PATCH -> new NaivePatchDenoiser(UNET, new Layers(b, weights), world, c);
    };
  }

  /** Samples that change from step to step as a generation's do. */
  private static NdArray sample(DenoiserInputs in, int step) {
    NdArray a = Fixtures.normal(11, in.batch(), 4, in.height(), in.width());
    NdArray change = Fixtures.normal(100 + step, in.batch(), 4, in.height(), in.width());
    for (int i = 0; i < a.data().length; i++) {
      a.data()[i] += 0.3f * step * change.data()[i];
    }
    return a;
  }

  private static List<NdArray> steps(Denoiser d, DenoiserInputs in, int steps) {
    d.begin(in);
    List<NdArray> all = new ArrayList<>();
    for (int i = 0; i < steps; i++) {
      all.add(d.predict(sample(in, i), 900 - 100 * i));
    }
    d.end();
    return all;
  }

  private List<NdArray> oneRank(DenoiserInputs in, int steps) {
    try (Backend b = Fixtures.backend()) {
      return steps(new UNetDenoiser(UNET, new Layers(b, weights)), in, steps);
    }
  }

  /** What every rank gets; all must get the same bits. */
  private List<NdArray> ranks(int n, DistriConfig c, DenoiserInputs in, int steps) {
    List<List<NdArray>> all =
        Ranks.run(
            n,
            world -> {
              try (Backend b = Fixtures.backend()) {
                return steps(denoiser(b, world, c), in, steps);
              }
            });
    for (List<NdArray> other : all) {
      assertEquals(all.get(0), other);
    }
    return all.get(0);
  }

  private static void assertSame(List<NdArray> expected, List<NdArray> actual) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      assertEquals(expected.get(i).shape(), actual.get(i).shape());
      assertAllClose(expected.get(i).data(), actual.get(i).data(), ATOL, ATOL, "step " + i);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, 16, 1, false",
    "2, 16, 1, false",
    "2, 16, 2, true",
    "3, 22, 2, true",
    "4, 17, 2, true",
    "5, 19, 1, false",
    "7, 25, 1, false",
    "6, 23, 4, true"
  })
  void fullSyncEqualsOneRank(int n, int rows, int batch, boolean guidance) {
    DenoiserInputs in = Fixtures.inputs(batch, rows, 9, guidance);
    assertSame(oneRank(in, 2), ranks(n, config(Parallelism.PATCH).build(), in, 2));
  }

  @ParameterizedTest
  @CsvSource({
    "1, 16, 1, false",
    "2, 16, 1, false",
    "2, 16, 2, true",
    "3, 11, 2, true",
    "4, 9, 2, true",
    "5, 7, 1, false",
    "6, 10, 4, true",
    "9, 5, 1, false"
  })
  void tensorParallelEqualsOneRank(int n, int rows, int batch, boolean guidance) {
    DenoiserInputs in = Fixtures.inputs(batch, rows, 9, guidance);
    assertSame(oneRank(in, 2), ranks(n, config(Parallelism.TENSOR).build(), in, 2));
  }

  @ParameterizedTest
  @EnumSource(SyncMode.class)
  void modesAreTheSameBitsFromRunToRunAndExactDuringWarmUp(SyncMode mode) {
    DenoiserInputs in = Fixtures.inputs(2, 21, 9, true);
    DistriConfig c = config(Parallelism.PATCH).mode(mode).warmupSteps(1).splitBatch(false).build();
    List<NdArray> one = oneRank(in, 5);
    List<NdArray> first = ranks(3, c, in, 5);
    for (int run = 0; run < 3; run++) {
      assertEquals(first, ranks(3, c, in, 5));
    }
    assertSame(one.subList(0, 2), first.subList(0, 2));
    for (int i = 2; i < 5; i++) {
      double off = Fixtures.largestDifference(one.get(i), first.get(i));
      assertEquals(mode == SyncMode.FULL_SYNC, off < ATOL, mode + " in step " + i + ": " + off);
      assertTrue(off < 3, mode + " in step " + i + ": " + off);
    }
  }

  @Test
  void modesDifferFromEachOther() {
    DenoiserInputs in = Fixtures.inputs(1, 16, 9, false);
    List<NdArray> last = new ArrayList<>();
    for (SyncMode mode : SyncMode.values()) {
      DistriConfig c = config(Parallelism.PATCH).mode(mode).warmupSteps(0).build();
      NdArray a = ranks(2, c, in, 3).get(2);
      for (NdArray other : last) {
        assertTrue(Fixtures.largestDifference(a, other) > 10 * ATOL, mode.toString());
      }
      last.add(a);
    }
  }

  @ParameterizedTest
  @EnumSource(SplitScheme.class)
  void naivePatchesAreImagesOfTheirOwn(SplitScheme scheme) {
    DenoiserInputs in = Fixtures.inputs(2, 14, 18, true);
    DistriConfig c = config(Parallelism.NAIVE_PATCH).splitScheme(scheme).splitBatch(false).build();
    List<NdArray> all = ranks(3, c, in, 2);
    for (int step = 0; step < 2; step++) {
      boolean rows = scheme == SplitScheme.ROW || (scheme == SplitScheme.ALTERNATE && step == 0);
      int[] cuts = rows ? new int[] {0, 4, 8, 14} : new int[] {0, 4, 12, 18};
      for (int p = 0; p < 3; p++) {
        Region r =
            rows
                ? new Region(0, 2, cuts[p], cuts[p + 1], 0, 18)
                : new Region(0, 2, 0, 14, cuts[p], cuts[p + 1]);
        NdArray alone = alone(in, r, step);
        assertAllClose(alone.data(), r.cut(all.get(step)).data(), 0, 0, scheme + " patch " + p);
      }
    }
  }

  private NdArray alone(DenoiserInputs in, Region r, int step) {
    try (Backend b = Fixtures.backend()) {
      UNetDenoiser d = new UNetDenoiser(UNET, new Layers(b, weights));
      d.begin(in);
      return d.predict(r.cut(sample(in, step)), 900 - 100 * step);
    }
  }

  @ParameterizedTest
  @EnumSource(Parallelism.class)
  void oneObjectServesGenerationsOfOtherSizesBatchesAndGuidance(Parallelism p) {
    List<DenoiserInputs> calls =
        List.of(
            Fixtures.inputs(2, 16, 16, true),
            Fixtures.inputs(1, 20, 16, false),
            Fixtures.inputs(4, 16, 16, true),
            Fixtures.inputs(4, 18, 17, true),
            Fixtures.inputs(3, 16, 16, false));
    DistriConfig c = config(p).build();
    List<List<List<NdArray>>> together =
        Ranks.run(
            4,
            world -> {
              try (Backend b = Fixtures.backend()) {
                Denoiser d = denoiser(b, world, c);
                return calls.stream().map(in -> steps(d, in, 2)).toList();
              }
            });
    for (int i = 0; i < calls.size(); i++) {
      List<NdArray> fresh = ranks(4, c, calls.get(i), 2);
      for (List<List<NdArray>> rank : together) {
        assertEquals(fresh, rank.get(i), "call " + i);
      }
      if (p != Parallelism.NAIVE_PATCH) {
        assertSame(oneRank(calls.get(i), 2), fresh);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Parallelism.class)
  void otherEmbeddingsTakeEffectAtOnce(Parallelism p) {
    DenoiserInputs in = Fixtures.inputs(2, 16, 16, true);
    NdArray other = Fixtures.normal(77, 2, 9, 6); // of another length, too
    DenoiserInputs changed = new DenoiserInputs(2, 16, 16, true, other, null, null, null);
    DistriConfig c = config(p).build();
    List<NdArray> got =
        Ranks.run(
            4,
            world -> {
              try (Backend b = Fixtures.backend()) {
                Denoiser d = denoiser(b, world, c);
                d.begin(in);
                d.predict(sample(in, 0), 900);
                d.replaceEmbeddings(changed);
                NdArray a = d.predict(sample(in, 1), 800);
                d.end();
                return a;
              }
            });
    if (p == Parallelism.NAIVE_PATCH) {
      assertEquals(ranks(4, c, changed, 2).get(1), got.get(0));
    } else {
      assertSame(oneRank(changed, 2).subList(1, 2), got.subList(0, 1));
    }
  }

  @ParameterizedTest
  @EnumSource(Parallelism.class)
  void anEndedGenerationLeavesNoTensorsBehind(Parallelism p) {
    DistriConfig c = config(p).mode(SyncMode.CORRECTED_ASYNC_GN).warmupSteps(0).build();
    List<String> counts =
        Ranks.run(
            4,
            world -> {
              try (Backend b = Fixtures.backend()) {
                Denoiser d = denoiser(b, world, c);
                String s = "";
                for (boolean guidance : new boolean[] {true, false, true}) {
                  steps(d, Fixtures.inputs(2, 16, 16, guidance), 3);
                  s += b.memory().liveTensors() + " " + b.memory().liveBytes() + " ";
                }
                d.begin(Fixtures.inputs(2, 16, 16, true));
                d.predict(Fixtures.normal(1, 2, 4, 16, 16), 5);
                d.end(); // not at its end, and twice
                d.end();
                return s + b.memory().liveTensors() + " " + b.memory().liveBytes();
              }
            });
    assertEquals(Collections.nCopies(4, "0 0 0 0 0 0 0 0"), counts);
  }

  @ParameterizedTest
  @ValueSource(strings = {"patch", "naive_patch"})
  void tooManyRanksAreRefusedAndTheObjectStaysUsable(String parallelism) {
    DistriConfig c = config(Parallelism.of(parallelism)).build();
    List<String> messages =
        Ranks.run(
            3,
            world -> {
              try (Backend b = Fixtures.backend()) {
                Denoiser d = denoiser(b, world, c);
                String m =
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> d.begin(Fixtures.inputs(1, 8, 16, false)))
                        .getMessage();
                assertThrows(
                    IllegalStateException.class,
                    () -> d.predict(Fixtures.normal(1, 1, 4, 8, 16), 1));
                steps(d, Fixtures.inputs(1, 12, 16, false), 1);
                return m;
              }
            });
    String expected =
        "3 ranks cannot split 8 rows of latents in multiples of 4: at most 2 would do";
    assertEquals(List.of(expected, expected, expected), messages);
  }

  @Test
  void bytesSentAreThoseOfThePlan() {
    DenoiserInputs in = Fixtures.inputs(2, 22, 9, true);
    DistriConfig c =
        config(Parallelism.PATCH)
            .mode(SyncMode.CORRECTED_ASYNC_GN)
            .warmupSteps(1)
            .splitBatch(false)
            .build();
    int steps = 5;
    List<long[]> sent =
        Ranks.run(
            3,
            world -> {
              try (Backend b = Fixtures.backend()) {
                PatchDenoiser d = new PatchDenoiser(UNET, b, weights, world, c);
                d.begin(in);
                for (int i = 0; i < steps; i++) {
                  d.predict(sample(in, i), 900 - 100 * i);
                }
                long planned =
                    d.exchangePlan().bytesByKind().values().stream()
                        .mapToLong(Long::longValue)
                        .sum();
                d.end();
                return new long[] {planned, world.stats().bytesSent()};
              }
            });
    int[] rows = {8, 8, 6};
    for (int rank = 0; rank < 3; rank++) {
      long prediction = 2L * (2 * 4 * rows[rank] * 9 * 4); // to two others
      assertTrue(sent.get(rank)[0] > 0);
      assertEquals(steps * (sent.get(rank)[0] + prediction), sent.get(rank)[1], "rank " + rank);
    }
  }

  @Test
  void afterWarmUpNoSyncSendsPredictionsAlone() {
    DenoiserInputs in = Fixtures.inputs(1, 16, 8, false);
    DistriConfig c = config(Parallelism.PATCH).mode(SyncMode.NO_SYNC).warmupSteps(0).build();
    List<Long> sent =
        Ranks.run(
            2,
            world -> {
              try (Backend b = Fixtures.backend()) {
                Denoiser d = denoiser(b, world, c);
                d.begin(in);
                d.predict(sample(in, 0), 900);
                long before = world.stats().bytesSent();
                d.predict(sample(in, 1), 800);
                d.end();
                return world.stats().bytesSent() - before;
              }
            });
    long prediction = 4 * 8 * 8 * 4;
    assertEquals(List.of(prediction, prediction), sent);
  }

  @Test
  void shardsOfRanksLieSideBySideInOneStore() {
    DenoiserInputs in = Fixtures.inputs(1, 8, 8, false);
    oneRank(in, 1);
    long whole = weights.bytes();
    ranks(3, config(Parallelism.TENSOR).build(), in, 1);
    long shards = weights.bytes() - whole; // conv_in, 1 x 1 and the like are shared
    assertTrue(shards > whole / 2 && shards < whole * 1.05, shards + " of " + whole);
  }
}
