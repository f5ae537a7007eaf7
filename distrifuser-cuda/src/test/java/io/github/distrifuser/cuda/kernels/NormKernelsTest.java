package io.github.distrifuser.cuda.kernels;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.MomentRule;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("cuda-standin")
class NormKernelsTest {
  private final Reference reference = new Reference();
  private final Launches launches = new Launches();

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void momentsOfAnySize(DType dtype) {
    // batch, pixels, channels, groups, parts, mean
    int[][] sizes = {
      {1, 1, 1, 1, 1, 0}, {2, 5, 6, 3, 1, 0}, {1, 37, 32, 32, 2, 1}, {2, 64, 320, 32, 3, 0},
      {1, 300, 48, 8, 300, 0}, {1, 7, 2600, 13, 2, 0}, {1, 9, 4100, 2, 4, 0}, {1, 3, 640, 32, 5, 0},
      {2, 700, 8, 2, 2, 100}, {1, 33, 257, 1, 2, 20}
    };
    for (int[] s : sizes) {
      Spread in = new Spread(s[0], s[1], s[2], 0, s[1] % 2 == 0 ? 16 : 3, s[2] % 2);
      float[] values = reference.randoms(dtype, in.elements(), 1, s[5]);
      moments(dtype, in, values, s[3], s[4], Arrays.toString(s));
    }
    launches.run();
  }

  private void moments(DType dtype, Spread in, float[] values, int groups, int parts, Object what) {
    float[] expected = new float[in.batch() * groups * 2];
    try (Tensor x = reference.tensor(values, in.batch(), in.rows(), 1, in.channels());
        Tensor m = reference.backend.allocate(in.batch(), groups, 2)) {
      reference.backend.groupMoments(x, groups, m);
      reference.backend.read(m, expected, 0);
    }
    float[] stale = new float[in.batch() * parts * groups * 3];
    Arrays.fill(stale, Float.NaN);
    Memory partial = Memory.floats(stale);
    launches.launch(
        "groupMomentsPartial",
        dtype,
        3,
        in.memory(dtype, values),
        partial,
        in.batch(),
        in.rows(),
        in.channels(),
        groups,
        in.batchStride(),
        parts);
    launches.then(
        () -> {
          Launches finish = new Launches();
          Memory moments = Memory.floats(new float[expected.length]);
          finish.launch(
              "groupMomentsFinish",
              null,
              2,
              Memory.floats(partial.floats()),
              moments,
              in.batch(),
              parts,
              groups);
          finish.then(() -> Reference.close(DType.F32, expected, moments.floats(), what));
          finish.run();
        });
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void normaliseWithGivenMoments(DType dtype) {
    // batch, pixels, channels, groups, gap, skip
    int[][] sizes = {
      {1, 1, 1, 1, 0, 0},
      {2, 5, 6, 3, 0, 0},
      {2, 11, 32, 4, 8, 8},
      {1, 33, 320, 32, 0, 0},
      {3, 4, 24, 2, 1, 0},
      {1, 17, 40, 8, 0, 1},
      {1, 1000, 16, 16, 0, 0}
    };
    for (int[] s : sizes) {
      Spread rows = new Spread(s[0], s[1], s[2], 0, s[4], s[5]);
      for (Activation activation : Activation.values()) {
        normalise(dtype, rows, s[3], activation);
      }
    }
    launches.run();
  }

  private void normalise(DType dtype, Spread rows, int groups, Activation activation) {
    int channels = rows.channels();
    float[] values = reference.randoms(dtype, rows.elements());
    float[] moments = reference.randoms(DType.F32, rows.batch() * groups * 2);
    for (int i = 1; i < moments.length; i += 2) {
      moments[i] = Math.abs(moments[i]) + 0.1f;
    }
    float[] weight = reference.randoms(DType.F32, channels);
    float[] bias = reference.randoms(DType.F32, channels);
    float[] expected = new float[values.length];
    try (Tensor x = reference.tensor(values, rows.batch(), rows.rows(), channels);
        Tensor m = reference.tensor(moments, rows.batch(), groups, 2)) {
      reference.backend.groupNormWith(
          x, m, reference.norm(weight, bias), groups, 1e-5f, activation, x);
      reference.backend.read(x, expected, 0);
    }
    Memory out = rows.memory(dtype, values); // in place
    launches.launch(
        "groupNormApply",
        dtype,
        2,
        out,
        Memory.floats(moments),
        Memory.floats(weight),
        Memory.floats(bias),
        out,
        rows.batch(),
        rows.rows(),
        channels,
        groups,
        rows.batchStride(),
        rows.batchStride(),
        1e-5f,
        activation.ordinal());
    launches.then(
        () -> Reference.close(dtype, expected, rows.gather(out.floats()), rows + " " + activation));
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void layerNormOfAnySize(DType dtype) {
    Spread[] all = {
      Spread.dense(1, 1, 1),
      Spread.dense(2, 3, 5),
      new Spread(2, 5, 320, 8, 8, 0),
      new Spread(3, 2, 64, 3, 1, 0),
      new Spread(1, 9, 1280, 0, 0, 1),
      new Spread(1, 4, 129, 0, 0, 0),
      Spread.dense(1, 70, 32)
    };
    for (Spread from : all) {
      int channels = from.channels();
      float mean = channels == 320 ? 50 : 0;
      float[] values = reference.randoms(dtype, from.elements(), 1, mean);
      float[] weight = reference.randoms(DType.F32, channels);
      float[] bias = reference.randoms(DType.F32, channels);
      float[] expected = new float[values.length];
      try (Tensor x = reference.tensor(values, from.batch(), from.rows(), channels);
          Tensor y = reference.backend.allocate(from.batch(), from.rows(), channels)) {
        reference.backend.layerNorm(x, reference.norm(weight, bias), 1e-5f, y);
        reference.backend.read(y, expected, 0);
      }
      Spread to = new Spread(from.batch(), from.rows(), channels, 8, 16, 0);
      Memory out = to.output(dtype);
      launches.launch(
          "layerNorm",
          dtype,
          3,
          from.memory(dtype, values),
          Memory.floats(weight),
          Memory.floats(bias),
          out,
          (long) from.batch() * from.rows(),
          from.rows(),
          channels,
          from.batchStride(),
          from.rowStride(),
          to.batchStride(),
          to.rowStride(),
          1e-5f);
      launches.then(() -> Reference.close(dtype, expected, to.gather(out.floats()), from));
    }
    launches.run();
  }

  @Test
  void momentsOfPatchesCombineByEachRule() {
    int groups = 37;
    double[] weights = {0.5, 0.3, 0.2};
    float[] all = reference.randoms(DType.F32, 3 * groups * 2);
    float[] own = reference.randoms(DType.F32, groups * 2);
    for (int i = 1; i < all.length; i += 2) {
      all[i] = Math.abs(all[i]);
    }
    for (int i = 1; i < own.length; i += 2) {
      own[i] = Math.abs(own[i]) / 8; // some combined variances come out negative
    }
    for (MomentRule rule : MomentRule.values()) {
      for (int index = 0; index < 3; index++) {
        float[] expected = new float[own.length];
        try (Tensor a = reference.tensor(all, 3, 1, groups, 2);
            Tensor o = reference.tensor(own, 1, groups, 2);
            Tensor m = reference.backend.allocate(1, groups, 2)) {
          reference.backend.combineMoments(rule, a, o, weights, index, m);
          reference.backend.read(m, expected, 0);
        }
        Memory out = Memory.floats(new float[own.length]);
        launches.launch(
            "combineMoments",
            null,
            1,
            Memory.floats(all),
            Memory.floats(own),
            Memory.doubles(weights),
            out,
            groups,
            3,
            index,
            rule.ordinal());
        String what = rule + " of patch " + index;
        launches.then(() -> Reference.close(DType.F32, expected, out.floats(), what));
      }
    }
    launches.run();
  }
}
