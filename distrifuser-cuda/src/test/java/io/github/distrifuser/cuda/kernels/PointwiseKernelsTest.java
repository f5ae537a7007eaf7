package io.github.distrifuser.cuda.kernels;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("cuda-standin")
class PointwiseKernelsTest {
  /** [batch, 1, inner]: with and without gaps, whole and broken multiples of 16 bytes. */
  private static final Spread[] BATCHES = {
    Spread.dense(1, 1, 1),
    Spread.dense(3, 1, 7),
    new Spread(2, 1, 2048, 0, 16, 0),
    new Spread(2, 1, 64, 0, 3, 0),
    new Spread(1, 1, 72, 0, 0, 1),
    new Spread(1, 1, 5000, 0, 0, 8)
  };

  /** [batch, rows, channels], alike. */
  private static final Spread[] ROWS = {
    Spread.dense(1, 1, 1),
    Spread.dense(2, 3, 5),
    new Spread(2, 5, 40, 8, 16, 0),
    new Spread(3, 2, 16, 3, 1, 0),
    new Spread(1, 9, 96, 0, 0, 2),
    Spread.dense(1, 33, 48)
  };

  private final Reference reference = new Reference();
  private final Launches launches = new Launches();

  private float[] activated(float[] x, Activation activation) {
    try (Tensor t = reference.tensor(x, x.length)) {
      reference.backend.activation(t, activation, t);
      return reference.backend.toFloats(t);
    }
  }

  private void holds(DType dtype, float[] expected, Spread to, Memory out, Object what) {
    launches.then(() -> Reference.close(dtype, expected, to.gather(out.floats()), what + " " + to));
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void activations(DType dtype) {
    for (Spread s : BATCHES) {
      for (Activation activation : Activation.values()) {
        float[] x = reference.randoms(dtype, s.elements(), 3, 0);
        Memory out = s.memory(dtype, x); // in place
        long stride = s.batchStride();
        launches.launch(
            "activate",
            dtype,
            2,
            out,
            out,
            s.batch(),
            s.channels(),
            stride,
            stride,
            activation.ordinal());
        holds(dtype, activated(x, activation), s, out, activation);
      }
    }
    launches.run();
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void sumsAndProducts(DType dtype) {
    for (Spread s : BATCHES) {
      Spread other = new Spread(s.batch(), 1, s.channels(), 0, s.batchGap() + 8, 0);
      float[] a = reference.randoms(dtype, s.elements());
      float[] b = reference.randoms(dtype, s.elements());
      float[] sum = new float[a.length];
      float[] scaled = new float[a.length];
      try (Tensor ta = reference.tensor(a, a.length);
          Tensor tb = reference.tensor(b, a.length)) {
        reference.backend.addScaled(ta, tb, -0.7f, tb);
        reference.backend.read(tb, sum, 0);
        reference.backend.scale(ta, 0.31f, ta);
        reference.backend.read(ta, scaled, 0);
      }
      Memory added = s.output(dtype);
      launches.launch(
          "addScaled",
          dtype,
          2,
          s.memory(dtype, a),
          other.memory(dtype, b),
          -0.7f,
          added,
          s.batch(),
          s.channels(),
          s.batchStride(),
          other.batchStride(),
          s.batchStride());
      holds(dtype, sum, s, added, "sum");
      Memory product = other.output(dtype);
      launches.launch(
          "scale",
          dtype,
          3,
          s.memory(dtype, a),
          0.31f,
          product,
          s.batch(),
          s.channels(),
          s.batchStride(),
          other.batchStride());
      holds(dtype, scaled, other, product, "product");
    }
    launches.run();
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void partsAreAddedInTheirOrder(DType dtype) {
    for (int[] sizes : new int[][] {{1, 1, 2}, {300, 300, 3}, {5, 64, 8}}) {
      int n = sizes[0];
      int distance = sizes[1];
      int parts = sizes[2];
      float[] x = reference.randoms(dtype, distance * parts);
      float[] expected = new float[n];
      for (int i = 0; i < n; i++) {
        for (int p = 0; p < parts; p++) {
          expected[i] = p == 0 ? x[i] : expected[i] + x[p * distance + i];
        }
      }
      Memory out = Memory.of(dtype, new float[n]);
      launches.launch(
          "sumParts", dtype, 2, Memory.of(dtype, x), out, (long) n, (long) distance, parts);
      launches.then(() -> Reference.close(dtype, expected, out.floats(), "sum of " + parts));
    }
    launches.run();
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void gatedGelu(DType dtype) {
    for (Spread to : ROWS) {
      int half = to.channels();
      Spread from =
          new Spread(to.batch(), to.rows(), 2 * half, to.rowGap(), to.batchGap(), to.skip());
      float[] x = reference.randoms(dtype, from.elements());
      float[] gelu = activated(x, Activation.GELU);
      float[] expected = new float[to.elements()];
      for (int i = 0; i < expected.length; i++) {
        int at = i / half * 2 * half + i % half;
        expected[i] = x[at] * gelu[at + half];
      }
      Memory out = to.output(dtype);
      launches.launch(
          "geglu",
          dtype,
          2,
          from.memory(dtype, x),
          out,
          (long) to.batch() * to.rows(),
          to.rows(),
          half,
          from.batchStride(),
          from.rowStride(),
          to.batchStride(),
          to.rowStride());
      holds(dtype, expected, to, out, "geglu");
    }
    launches.run();
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void epilogues(DType dtype) {
    for (Spread s : ROWS) {
      for (int parts = 0; parts < 8; parts++) {
        Activation activation = Activation.values()[parts % Activation.values().length];
        epilogue(dtype, s, (parts & 1) != 0, (parts & 2) != 0, (parts & 4) != 0, activation);
      }
    }
    launches.run();
  }

  private void epilogue(
      DType dtype,
      Spread s,
      boolean withBias,
      boolean withChannelBias,
      boolean withResidual,
      Activation activation) {
    int channels = s.channels();
    Spread channel = new Spread(s.batch(), 1, channels, 0, s.batchGap(), s.skip());
    Spread other = new Spread(s.batch(), s.rows(), channels, s.rowGap() + 8, 0, 0);
    float[] x = reference.randoms(dtype, s.elements());
    float @Nullable [] bias = withBias ? reference.randoms(dtype, channels) : null;
    float @Nullable [] channelBias =
        withChannelBias ? reference.randoms(dtype, channel.elements()) : null;
    float @Nullable [] residual = withResidual ? reference.randoms(dtype, x.length) : null;
    float[] sums = x.clone();
    for (int i = 0; i < x.length; i++) {
      int c = i % channels;
      int b = i / (s.rows() * channels);
      sums[i] += (bias == null ? 0 : bias[c]);
      sums[i] += (channelBias == null ? 0 : channelBias[b * channels + c]);
    }
    float[] expected = activated(sums, activation);
    for (int i = 0; i < x.length; i++) {
      expected[i] += residual == null ? 0 : residual[i];
    }
    Memory out = s.output(dtype);
    launches.launch(
        "epilogue",
        dtype,
        2,
        s.memory(dtype, x),
        bias == null ? null : Memory.of(dtype, bias),
        channelBias == null ? null : channel.memory(dtype, channelBias),
        residual == null ? null : other.memory(dtype, residual),
        out,
        (long) s.batch() * s.rows(),
        s.rows(),
        channels,
        s.batchStride(),
        s.rowStride(),
        channel.batchStride(),
        other.batchStride(),
        other.rowStride(),
        s.batchStride(),
        s.rowStride(),
        activation.ordinal());
    boolean[] what = {withBias, withChannelBias, withResidual};
    holds(dtype, expected, s, out, Arrays.toString(what) + activation);
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void guidanceFollowsTheScaleInMemory(DType dtype) {
    int n = 777;
    float[] uncond = reference.randoms(dtype, n);
    float[] cond = reference.randoms(dtype, n);
    float[] expected = new float[n];
    for (int i = 0; i < n; i++) {
      expected[i] = uncond[i] + 7.5f * (cond[i] - uncond[i]);
    }
    Memory u = Memory.of(dtype, uncond);
    Memory out = Memory.of(dtype, cond); // in place
    launches.launch("guidance", dtype, 2, u, out, Memory.floats(7.5f), out, n);
    launches.then(() -> Reference.close(dtype, expected, out.floats(), "guidance"));
    launches.run();
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void stepsOfSchedulers(DType dtype) {
    int n = 1031;
    for (int count = 1; count <= 8; count++) {
      float[] coefficients = reference.randoms(DType.F32, count + 1);
      float[] prediction = reference.randoms(dtype, n);
      @Nullable Memory[] inputs = new Memory[7];
      double[] sums = new double[n];
      for (int i = 0; i < n; i++) {
        sums[i] = (double) coefficients[0] * prediction[i];
      }
      for (int k = 1; k < count; k++) {
        float[] x = reference.randoms(DType.F32, n);
        inputs[k - 1] = Memory.floats(x);
        for (int i = 0; i < n; i++) {
          sums[i] += (double) coefficients[k] * x[i];
        }
      }
      float[] expected = new float[n];
      float[] next = new float[n];
      for (int i = 0; i < n; i++) {
        expected[i] = (float) sums[i];
        next[i] = (float) (sums[i] * coefficients[count]);
      }
      Memory out = Memory.floats(new float[n]);
      Memory input = count == 3 ? null : Memory.of(dtype, new float[n]);
      launches.launch(
          "schedulerStep",
          dtype,
          2,
          Memory.of(dtype, prediction),
          inputs[0],
          inputs[1],
          inputs[2],
          inputs[3],
          inputs[4],
          inputs[5],
          inputs[6],
          Memory.floats(coefficients),
          out,
          input,
          count,
          n);
      String what = count + " tensors";
      launches.then(() -> Reference.close(DType.F32, expected, out.floats(), what));
      if (input != null) {
        launches.then(() -> Reference.close(dtype, next, input.floats(), what));
      }
    }
    launches.run();
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void conversionsRoundAsTheHostDoes(DType dtype) {
    float[] all = reference.randoms(DType.F32, 3000, 300, 0);
    float[] edges = {
      0f,
      -0f,
      1e-8f,
      -3e-8f,
      0x1p-24f,
      0x1.8p-25f,
      6e-5f,
      65504f,
      65519.9f,
      65520f,
      1e30f,
      Float.POSITIVE_INFINITY,
      Float.NEGATIVE_INFINITY,
      Float.NaN,
      Float.MIN_VALUE,
      Float.MAX_VALUE,
      1 + 0x1p-8f,
      1 + 0x1.8p-8f,
      1 + 0x1p-11f,
      1 + 0x1.8p-10f
    };
    System.arraycopy(edges, 0, all, 100, edges.length);
    for (int i = 200; i < 1000; i++) {
      all[i] *= 1e-7f; // below half precision's normal numbers
    }
    Memory narrow = Memory.of(dtype, new float[all.length]);
    launches.launch("fromFloats", dtype, 1, Memory.floats(all), narrow, all.length);
    float[] rounded = Memory.of(dtype, all).rounded();
    launches.then(() -> LayoutKernelsTest.same(rounded, narrow.floats(), "rounded"));
    Memory wide = Memory.floats(new float[all.length]);
    launches.launch("toFloats", dtype, 2, Memory.of(dtype, all), wide, all.length);
    launches.then(() -> LayoutKernelsTest.same(rounded, wide.floats(), "widened"));
    launches.run();
  }
}
