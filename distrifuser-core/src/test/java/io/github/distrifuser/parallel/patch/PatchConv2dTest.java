package io.github.distrifuser.parallel.patch;

import static io.github.distrifuser.tensor.TensorAssertions.assertAllClose;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.nn.Conv2d;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.ExchangeKind;
import io.github.distrifuser.parallel.ExchangePlan;
import io.github.distrifuser.parallel.Fixtures;
import io.github.distrifuser.parallel.PatchRows;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class PatchConv2dTest {
  private static final int IN = 3;
  private static final int OUT = 4;
  private static final int WIDTH = 5;

  private final WeightStore weights = Fixtures.store();

  /** A kernel and its geometry. */
  record Kind(int kernel, Conv2dGeometry geometry) {}

  static List<Kind> kinds() {
    return List.of(
        new Kind(3, Conv2dGeometry.of(1, 1)),
        new Kind(5, Conv2dGeometry.of(1, 2)),
        new Kind(3, Conv2dGeometry.of(2, 1)),
        new Kind(5, Conv2dGeometry.of(2, 2)),
        new Kind(3, new Conv2dGeometry(2, 0, 1, 0, 1)),
        new Kind(5, new Conv2dGeometry(2, 1, 2, 1, 2)),
        new Kind(3, new Conv2dGeometry(1, 0, 2, 0, 2)));
  }

  private NdArray whole(Kind k, NdArray x) {
    try (Backend b = Fixtures.backend();
        Tensor t = Fixtures.upload(b, x)) {
      Conv2d conv = new Layers(b, weights).conv2d("conv" + k.kernel, IN, OUT, k.kernel, k.geometry);
      Tensor y = conv.forward(t);
      return new NdArray(b.toFloats(y), y.shape());
    }
  }

  private static List<NdArray> images(int steps, int batch, int height) {
    return IntStream.range(0, steps)
        .mapToObj(i -> Fixtures.normal(i, batch, height, WIDTH, IN))
        .toList();
  }

  private static PatchRig.Maker maker(Kind k, boolean margins) {
    return (layers, context, backend) -> {
      Conv2d conv = layers.conv2d("conv" + k.kernel, IN, OUT, k.kernel, k.geometry);
      return x -> {
        if (!margins) {
          return conv.forward(x);
        }
        try (Tensor in = conv.input(x.shape().dim(0), x.shape().dim(1), WIDTH, IN)) {
          backend.copy(x, in);
          return conv.forward(in);
        }
      };
    };
  }

  /** Even and uneven cuts of odd and even heights. */
  private static List<PatchRows> cuts(int n) {
    double[] weights = IntStream.rangeClosed(1, n).mapToDouble(i -> i).toArray();
    double[] falling = Arrays.stream(weights).map(w -> 1 / w).toArray();
    return List.of(
        PatchRows.even(4 * n, 4, n),
        PatchRows.even(4 * n + 3, 4, n),
        PatchRows.weighted(8 * n + 2, 4, weights),
        PatchRows.weighted(8 * n + 3, 4, falling));
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void synchronousPatchesTogetherAreTheWhole(Kind k) {
    for (int n = 1; n <= 7; n++) {
      for (PatchRows rows : cuts(n)) {
        List<NdArray> x = images(2, 2, rows.total(0));
        PatchRig rig = new PatchRig(rows, 0, SyncMode.FULL_SYNC, weights);
        List<List<NdArray>> got = rig.run(x, maker(k, n % 2 == 0));
        for (int step = 0; step < 2; step++) {
          NdArray expected = whole(k, x.get(step));
          NdArray joined = PatchRig.joinRows(got.get(step));
          assertEquals(expected.shape(), joined.shape(), k + " " + rows);
          assertAllClose(expected.data(), joined.data(), 1e-5, 1e-5, k + " " + rows);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void asynchronousPatchesSeeTheirNeighboursOfTheStepBefore(Kind k) {
    for (int n = 2; n <= 7; n += n == 3 ? 4 : 1) {
      PatchRows rows = cuts(n).get(3);
      List<NdArray> x = images(4, 1, rows.total(0));
      PatchRig rig = new PatchRig(rows, 0, SyncMode.CORRECTED_ASYNC_GN, weights);
      List<List<NdArray>> got = rig.run(x, maker(k, true));
      for (int step = 1; step < 4; step++) {
        assertSeen(k, rig, x.get(step - 1), x.get(step), got.get(step));
      }
    }
  }

  @Test
  void withoutSyncNeighboursStayThoseOfTheWarmUp() {
    Kind k = kinds().get(0);
    List<NdArray> x = images(4, 1, 14);
    PatchRig rig = new PatchRig(PatchRows.even(14, 4, 3), 0, SyncMode.NO_SYNC, weights);
    List<List<NdArray>> got = rig.run(x, maker(k, false));
    for (int step = 1; step < 4; step++) {
      assertSeen(k, rig, x.get(0), x.get(step), got.get(step));
    }
  }

  private void assertSeen(Kind k, PatchRig rig, NdArray stale, NdArray fresh, List<NdArray> got) {
    int at = 0;
    for (int p = 0; p < got.size(); p++) {
      NdArray seen = whole(k, rig.seenBy(p, stale, fresh));
      int to = at + got.get(p).size(1);
      assertAllClose(
          PatchRig.cut(seen, at, to).data(), got.get(p).data(), 1e-5, 1e-5, k + " patch " + p);
      at = to;
    }
  }

  @Test
  void biasAndResidualAreThePatchs() {
    Kind k = kinds().get(0);
    PatchRows rows = PatchRows.even(14, 4, 3);
    NdArray x = images(1, 2, 14).get(0);
    NdArray residual = Fixtures.normal(50, 2, 14, WIDTH, OUT);
    NdArray bias = Fixtures.normal(51, 2, OUT);
    NdArray expected = whole(k, x);
    for (int i = 0; i < expected.data().length; i++) {
      int entry = i / (14 * WIDTH * OUT);
      expected.data()[i] += residual.data()[i] + bias.data()[entry * OUT + i % OUT];
    }
    PatchRig rig = new PatchRig(rows, 0, SyncMode.FULL_SYNC, weights);
    List<List<NdArray>> got =
        rig.run(
            List.of(x),
            (layers, context, backend) -> {
              Conv2d conv = layers.conv2d("conv" + k.kernel, IN, OUT, k.kernel, k.geometry);
              return patch -> {
                try (Tensor r = Fixtures.upload(backend, rig.patch(residual, context.index()));
                    Tensor c = Fixtures.upload(backend, bias)) {
                  return conv.forward(patch, c, r);
                }
              };
            });
    assertAllClose(expected.data(), PatchRig.joinRows(got.get(0)).data(), 1e-5, 1e-5);
  }

  @Test
  void theFirstConvolutionSeesTheWholeLatent() {
    NdArray x = images(1, 2, 15).get(0);
    for (int kernel : new int[] {3, 5}) {
      NdArray expected = whole(new Kind(kernel, Conv2dGeometry.of(1, kernel / 2)), x);
      PatchRig rig = new PatchRig(PatchRows.even(15, 4, 4), 0, SyncMode.NO_SYNC, weights);
      List<List<NdArray>> got =
          rig.run(
              List.of(x, x),
              (layers, context, backend) -> {
                Conv2d conv = layers.inputConv2d("conv" + kernel, IN, OUT, kernel);
                return patch -> {
                  assertThrows(IllegalArgumentException.class, () -> conv.forward(patch));
                  try (Tensor t = Fixtures.upload(backend, x)) {
                    return conv.forward(t);
                  }
                };
              });
      for (List<NdArray> step : got) {
        assertAllClose(expected.data(), PatchRig.joinRows(step).data(), 0, 0);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"FULL_SYNC", "CORRECTED_ASYNC_GN"})
  void halosTravelToNeighboursOnly(SyncMode mode) {
    PatchRows rows = PatchRows.even(16, 4, 4);
    long row = 2L * WIDTH * IN * 4; // bytes, both entries of the batch
    for (Kind k : kinds()) {
      PatchRig rig = new PatchRig(rows, 0, mode, weights);
      rig.run(images(2, 2, 16), maker(k, true));
      int up = Math.max(0, k.kernel - k.geometry.top() - k.geometry.stride());
      int down = k.geometry.top();
      for (int p = 0; p < 4; p++) {
        List<Integer> peers = new ArrayList<>();
        List<Long> bytes = new ArrayList<>();
        if (p > 0 && up > 0) {
          peers.add(p - 1);
          bytes.add(up * row);
        }
        if (p < 3 && down > 0) {
          peers.add(p + 1);
          bytes.add(down * row);
        }
        ExchangePlan.Entry entry = rig.plans().get(p).entries().get(0);
        assertEquals(ExchangeKind.HALO, entry.kind());
        assertEquals("conv" + k.kernel, entry.layer());
        assertEquals(peers, entry.peers(), k + " patch " + p);
        assertEquals(bytes, entry.bytes(), k + " patch " + p);
      }
    }
  }

  @Test
  void aPatchTooThinForItsNeighbourIsNamed() {
    Kind k = kinds().get(1); // needs two rows
    PatchRig rig = new PatchRig(PatchRows.even(3, 1, 3), 0, SyncMode.FULL_SYNC, weights);
    List<NdArray> x = images(1, 1, 3);
    String message =
        assertThrows(IllegalArgumentException.class, () -> rig.run(x, maker(k, false)))
            .getMessage();
    assertEquals("conv5: a patch of 1 rows cannot give its neighbour 2", message);
  }
}
