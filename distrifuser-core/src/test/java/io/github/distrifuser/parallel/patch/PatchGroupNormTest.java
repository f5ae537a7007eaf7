package io.github.distrifuser.parallel.patch;

import static io.github.distrifuser.tensor.TensorAssertions.assertAllClose;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.nn.GroupNorm;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.ExchangeKind;
import io.github.distrifuser.parallel.ExchangePlan;
import io.github.distrifuser.parallel.Fixtures;
import io.github.distrifuser.parallel.PatchRows;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.StateDict;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class PatchGroupNormTest {
  private static final int BATCH = 2;
  private static final int GROUPS = 3;
  private static final int CHANNELS = 12;
  private static final int WIDTH = 4;
  private static final int LEVEL = 1;
  private static final float EPS = 1e-5f;

  /** Weight 1 and bias 0, so that outputs are the normalised values. */
  private final WeightStore weights = new WeightStore(StateDict.random("test", 1));

  private final PatchRows rows = PatchRows.weighted(22, 4, new double[] {1, 3, 2});

  private static PatchRig.Maker maker(Activation activation) {
    return (layers, context, backend) -> {
      GroupNorm norm = layers.atLevel(LEVEL).groupNorm("norm", GROUPS, CHANNELS, EPS);
      return x -> {
        Tensor y = backend.allocate(x.shape().toArray());
        norm.forward(x, activation, y);
        return y;
      };
    };
  }

  private List<List<NdArray>> run(SyncMode mode, List<NdArray> x) {
    return new PatchRig(rows, LEVEL, mode, weights).run(x, maker(Activation.NONE));
  }

  /** Images that change; every entry, group and row has a mean and a deviation of its own. */
  private static List<NdArray> images(int steps, int height, double mean) {
    List<NdArray> all = new ArrayList<>();
    NdArray base = Fixtures.normal(5, BATCH, height, WIDTH, CHANNELS);
    for (int s = 0; s < steps; s++) {
      NdArray change = Fixtures.normal(60 + s, BATCH, height, WIDTH, CHANNELS);
      NdArray x = NdArray.zeros(base.shape().toArray());
      for (int i = 0; i < x.data().length; i++) {
        int channel = i % CHANNELS;
        int row = i / (CHANNELS * WIDTH) % height;
        double own = Math.sin(row) + 0.4 * channel + 0.2 * s * Math.cos(row + s);
        x.data()[i] =
            (float) (mean + own + (1 + 0.1 * row) * (base.data()[i] + 0.3 * change.data()[i]));
      }
      all.add(x);
    }
    return all;
  }

  /** E[x] and E[x^2] of a patch's group. */
  private static double[] moments(NdArray patch, int entry, int group) {
    double sum = 0;
    double squares = 0;
    int size = CHANNELS / GROUPS;
    int pixels = patch.size(1) * WIDTH;
    for (int p = 0; p < pixels; p++) {
      for (int c = 0; c < size; c++) {
        double v = patch.data()[(entry * pixels + p) * CHANNELS + group * size + c];
        sum += v;
        squares += v * v;
      }
    }
    return new double[] {sum / (pixels * size), squares / (pixels * size)};
  }

  private double weight(int patch) {
    return (double) rows.rows(patch, LEVEL) / rows.total(LEVEL);
  }

  /** The moments that a patch normalises with in an asynchronous step, by the mode's definition. */
  private double[] expected(SyncMode mode, PatchRig rig, int p, NdArray[] x, int b, int g) {
    NdArray before = x[0];
    NdArray now = x[1];
    double[] own = moments(rig.patch(now, p), b, g);
    double[] ownBefore = moments(rig.patch(before, p), b, g);
    double[] m = new double[2];
    for (int k = 0; k < 2; k++) {
      for (int i = 0; i < rows.patches(); i++) {
        double stale = moments(rig.patch(before, i), b, g)[k];
        double fresh = moments(rig.patch(now, i), b, g)[k];
        m[k] +=
            weight(i)
                * switch (mode) {
                  case CORRECTED_ASYNC_GN -> stale;
                  case STALE_GN -> i == p ? fresh : stale;
                  case SYNC_GN, FULL_SYNC -> fresh;
                  case SEPARATE_GN, NO_SYNC -> own[k];
                };
      }
      if (mode == SyncMode.CORRECTED_ASYNC_GN) {
        m[k] += own[k] - ownBefore[k];
      }
    }
    double variance = m[1] - m[0] * m[0];
    return new double[] {m[0], variance < 0 ? own[1] - own[0] * own[0] : variance};
  }

  private NdArray expected(SyncMode mode, PatchRig rig, int p, NdArray before, NdArray now) {
    NdArray x = rig.patch(now, p);
    NdArray out = NdArray.zeros(x.shape().toArray());
    int pixels = x.size(1) * WIDTH;
    for (int b = 0; b < BATCH; b++) {
      for (int g = 0; g < GROUPS; g++) {
        double[] m = expected(mode, rig, p, new NdArray[] {before, now}, b, g);
        double factor = 1 / Math.sqrt(m[1] + EPS);
        int size = CHANNELS / GROUPS;
        for (int i = 0; i < pixels * size; i++) {
          int at = (b * pixels + i / size) * CHANNELS + g * size + i % size;
          out.data()[at] = (float) ((x.data()[at] - m[0]) * factor);
        }
      }
    }
    return out;
  }

  @ParameterizedTest
  @EnumSource(SyncMode.class)
  void momentsAreCombinedAsTheModeSays(SyncMode mode) {
    List<NdArray> x = images(4, rows.total(LEVEL), 0);
    PatchRig rig = new PatchRig(rows, LEVEL, mode, weights);
    List<List<NdArray>> got = run(mode, x);
    for (int p = 0; p < 3; p++) {
      NdArray warm = expected(SyncMode.FULL_SYNC, rig, p, x.get(0), x.get(0));
      assertAllClose(warm.data(), got.get(0).get(p).data(), 2e-5, 2e-5, "warm-up, patch " + p);
      for (int step = 1; step < 4; step++) {
        NdArray e = expected(mode, rig, p, x.get(step - 1), x.get(step));
        assertAllClose(
            e.data(), got.get(step).get(p).data(), 2e-5, 2e-5, "step " + step + " patch " + p);
      }
    }
  }

  private NdArray whole(NdArray x, Activation activation, WeightStore store) {
    try (Backend b = Fixtures.backend();
        Tensor t = Fixtures.upload(b, x);
        Tensor y = b.allocate(x.shape().toArray())) {
      new Layers(b, store).groupNorm("norm", GROUPS, CHANNELS, EPS).forward(t, activation, y);
      return new NdArray(b.toFloats(y), y.shape());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 5, 7})
  void fullSyncIsTheWholesNorm(int n) {
    WeightStore affine = Fixtures.store();
    double[] unlike = IntStream.rangeClosed(1, n).mapToDouble(i -> i).toArray();
    PatchRows cut = PatchRows.weighted(8 * n + 3, 4, unlike);
    List<NdArray> x = images(3, cut.total(LEVEL), 2);
    List<List<NdArray>> got =
        new PatchRig(cut, LEVEL, SyncMode.FULL_SYNC, affine).run(x, maker(Activation.SILU));
    for (int step = 0; step < 3; step++) {
      assertAllClose(
          whole(x.get(step), Activation.SILU, affine).data(),
          PatchRig.joinRows(got.get(step)).data(),
          2e-5,
          2e-5);
    }
  }

  @ParameterizedTest
  @EnumSource(SyncMode.class)
  void meansFarAboveTheDeviationKeepTheirDigits(SyncMode mode) {
    double mean = 1e4; // its square leaves single precision no digit of the variance
    List<NdArray> x = images(4, rows.total(LEVEL), mean);
    PatchRig rig = new PatchRig(rows, LEVEL, mode, weights);
    List<List<NdArray>> got = run(mode, x);
    for (int step = 1; step < 4; step++) {
      for (int p = 0; p < 3; p++) {
        NdArray e = expected(mode, rig, p, x.get(step - 1), x.get(step));
        assertAllClose(
            e.data(), got.get(step).get(p).data(), 5e-3, 5e-3, "step " + step + " patch " + p);
      }
    }
  }

  /** Images whose patches have means far apart, which move by a part of that in each step. */
  private List<NdArray> unlike(double far, double drift) {
    int height = rows.total(LEVEL);
    List<NdArray> x = new ArrayList<>();
    for (int s = 0; s < 6; s++) {
      NdArray a = Fixtures.normal(s, BATCH, height, WIDTH, CHANNELS);
      for (int i = 0; i < a.data().length; i++) {
        int row = i / (CHANNELS * WIDTH) % height;
        int patch = row < rows.start(1, LEVEL) ? 0 : row < rows.start(2, LEVEL) ? 1 : 2;
        a.data()[i] += (float) (far * (patch - 1) * (1 - drift * s));
      }
      x.add(a);
    }
    return x;
  }

  private double largest(SyncMode mode, List<NdArray> x) {
    double most = 0;
    for (List<NdArray> step : run(mode, x)) {
      for (NdArray patch : step) {
        for (float v : patch.data()) {
          assertTrue(Float.isFinite(v), mode.toString());
          most = Math.max(most, Math.abs(v));
        }
      }
    }
    return most;
  }

  @ParameterizedTest
  @EnumSource(SyncMode.class)
  void unlikePatchesStayFiniteAndBounded(SyncMode mode) {
    for (double far : new double[] {1, 10, 100, 1e4}) {
      double most = largest(mode, unlike(far, 0.03));
      assertTrue(most < 10, mode + ", " + far + " apart: " + most);
    }
  }

  /** Own variance and combined mean bound outputs by the patches' distance, in deviations. */
  @ParameterizedTest
  @EnumSource(SyncMode.class)
  void leapsStayFiniteAndBoundedByThePatchesDistance(SyncMode mode) {
    for (double far : new double[] {1, 10, 100, 1e4}) {
      double most = largest(mode, unlike(far, 0.3));
      assertTrue(most < 20 + 2 * far, mode + ", " + far + " apart: " + most);
    }
  }

  /** Patch 0 gives up a mean of its own: corrected moments come out with a negative variance. */
  @Test
  void whereTheCombinedVarianceIsNegativeThePatchsOwnServes() {
    int height = rows.total(LEVEL);
    List<NdArray> x = new ArrayList<>();
    for (int s = 0; s < 2; s++) {
      NdArray a = Fixtures.normal(s, BATCH, height, WIDTH, CHANNELS);
      for (int i = 0; i < a.data().length; i++) {
        int row = i / (CHANNELS * WIDTH) % height;
        boolean first = row < rows.start(1, LEVEL);
        a.data()[i] += first ? 10 - 10 * s : 0;
      }
      x.add(a);
    }
    PatchRig rig = new PatchRig(rows, LEVEL, SyncMode.CORRECTED_ASYNC_GN, weights);
    double[] m = expected(SyncMode.CORRECTED_ASYNC_GN, rig, 0, x.toArray(new NdArray[0]), 0, 0);
    double[] own = moments(rig.patch(x.get(1), 0), 0, 0);
    assertEquals(own[1] - own[0] * own[0], m[1], "the case is one of a negative variance");
    NdArray e = expected(SyncMode.CORRECTED_ASYNC_GN, rig, 0, x.get(0), x.get(1));
    NdArray got = run(SyncMode.CORRECTED_ASYNC_GN, x).get(1).get(0);
    assertAllClose(e.data(), got.data(), 1e-4, 1e-4);
  }

  @Test
  void constantPatchesGiveTheBias() {
    NdArray a = NdArray.zeros(BATCH, rows.total(LEVEL), WIDTH, CHANNELS);
    Arrays.fill(a.data(), 123);
    for (SyncMode mode : SyncMode.values()) {
      for (List<NdArray> step : run(mode, List.of(a, a, a))) {
        for (NdArray patch : step) {
          assertAllClose(new float[patch.data().length], patch.data(), 1e-6, 0, mode);
        }
      }
    }
  }

  @Test
  void momentsTravelToAllOthers() {
    PatchRig rig = new PatchRig(rows, LEVEL, SyncMode.STALE_GN, weights);
    rig.run(images(2, rows.total(LEVEL), 0), maker(Activation.NONE));
    long bytes = BATCH * GROUPS * 2L * 4;
    for (int p = 0; p < 3; p++) {
      ExchangePlan.Entry e = rig.plans().get(p).entries().get(0);
      assertEquals(ExchangeKind.MOMENTS, e.kind());
      assertEquals(List.of(bytes, bytes), e.bytes());
    }
  }
}
