package io.github.distrifuser.parallel.patch;

import static io.github.distrifuser.tensor.TensorAssertions.assertAllClose;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.nn.AttentionLayer;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.parallel.ExchangeKind;
import io.github.distrifuser.parallel.ExchangePlan;
import io.github.distrifuser.parallel.Fixtures;
import io.github.distrifuser.parallel.PatchRows;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Tensor;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class PatchSelfAttentionTest {
  private static final int CHANNELS = 12;
  private static final int HEADS = 3;
  private static final int WIDTH = 3;
  private static final int LEVEL = 1;

  private final WeightStore weights = Fixtures.store();

  /** {@code x + attention(x)} over {@code [b, h, w, c]}. */
  private static Tensor add(AttentionLayer layer, Backend b, Tensor x) {
    Tensor y = b.allocate(x.shape().toArray());
    b.copy(x, y);
    long n = x.shape().dim(0);
    long l = x.shape().dim(1) * x.shape().dim(2);
    layer.forward(x.reshape(n, l, CHANNELS), null, y.reshape(n, l, CHANNELS));
    return y;
  }

  private NdArray whole(NdArray x) {
    try (Backend b = Fixtures.backend();
        Tensor t = Fixtures.upload(b, x)) {
      Tensor y = add(new Layers(b, weights).selfAttention("attn1", CHANNELS, HEADS), b, t);
      return new NdArray(b.toFloats(y), y.shape());
    }
  }

  private static List<NdArray> images(int steps, int height) {
    return IntStream.range(0, steps)
        .mapToObj(i -> Fixtures.normal(i, 2, height, WIDTH, CHANNELS))
        .toList();
  }

  private static final PatchRig.Maker MAKER =
      (layers, context, backend) -> {
        AttentionLayer layer = layers.atLevel(LEVEL).selfAttention("attn1", CHANNELS, HEADS);
        return x -> add(layer, backend, x);
      };

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 5, 7})
  void synchronousPatchesTogetherAreTheWhole(int n) {
    double[] unlike = IntStream.rangeClosed(1, n).mapToDouble(i -> i).toArray();
    for (PatchRows rows :
        List.of(PatchRows.even(4 * n, 4, n), PatchRows.weighted(8 * n + 3, 4, unlike))) {
      List<NdArray> x = images(2, rows.total(LEVEL));
      PatchRig rig = new PatchRig(rows, LEVEL, SyncMode.FULL_SYNC, weights);
      List<List<NdArray>> got = rig.run(x, MAKER);
      for (int step = 0; step < 2; step++) {
        assertAllClose(
            whole(x.get(step)).data(), PatchRig.joinRows(got.get(step)).data(), 1e-5, 1e-5, rows);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(SyncMode.class)
  void laterStepsAttendToWhatTheModeSays(SyncMode mode) {
    PatchRows rows = PatchRows.weighted(23, 4, new double[] {1, 3, 2});
    List<NdArray> x = images(4, rows.total(LEVEL));
    PatchRig rig = new PatchRig(rows, LEVEL, mode, weights);
    List<List<NdArray>> got = rig.run(x, MAKER);
    for (int step = 1; step < 4; step++) {
      NdArray others =
          switch (mode) {
            case FULL_SYNC -> x.get(step);
            case NO_SYNC -> x.get(0);
            default -> x.get(step - 1);
          };
      for (int p = 0; p < 3; p++) {
        NdArray seen = whole(rig.seenBy(p, others, x.get(step)));
        assertAllClose(
            rig.patch(seen, p).data(), got.get(step).get(p).data(), 1e-5, 1e-5, "patch " + p);
      }
    }
    for (int p = 0; p < 3; p++) {
      ExchangePlan.Entry e = rig.plans().get(p).entries().get(0);
      long bytes = 2L * rows.rows(p, LEVEL) * WIDTH * 2 * CHANNELS * 4; // keys and values
      assertEquals(ExchangeKind.KEY_VALUE, e.kind());
      assertEquals(List.of(bytes, bytes), e.bytes());
    }
  }
}
