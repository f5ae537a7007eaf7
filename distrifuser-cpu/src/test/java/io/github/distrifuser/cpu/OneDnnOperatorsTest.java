package io.github.distrifuser.cpu;

import static io.github.distrifuser.cpu.Fixture.assertClose;
import static io.github.distrifuser.cpu.Fixture.columns;
import static io.github.distrifuser.cpu.Fixture.dense;
import static io.github.distrifuser.cpu.Fixture.gapped;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Each operator against its definition, for layouts and sizes that layers use. */
class OneDnnOperatorsTest {
  private final Fixture fixture = new Fixture();
  private final Backend backend =
      new OneDnnBackendProvider().create(new BackendOptions(DType.F32, 2, 0));

  @AfterEach
  void close() {
    backend.close();
  }

  @ParameterizedTest
  @CsvSource({
    // channels in, out, kernel, height, width, stride, padding top, bottom, left, right
    "4, 32, 3, 8, 12, 1, 1, 1, 1, 1",
    "32, 4, 3, 9, 7, 1, 1, 1, 1, 1",
    "32, 48, 3, 16, 16, 2, 1, 1, 1, 1",
    "32, 32, 3, 9, 8, 2, 0, 1, 0, 1",
    "32, 32, 3, 8, 8, 1, 0, 0, 1, 1",
    "32, 32, 3, 7, 8, 1, 0, 1, 1, 1",
    "40, 3, 3, 10, 10, 1, 1, 1, 1, 1",
    "64, 64, 1, 5, 6, 1, 0, 0, 0, 0",
    "5, 7, 5, 11, 9, 1, 2, 2, 2, 2",
    "320, 320, 3, 8, 8, 1, 1, 1, 1, 1",
    "1280, 640, 3, 4, 4, 1, 1, 1, 1, 1",
  })
  void conv2d(
      int in, int out, int k, int h, int w, int stride, int top, int bottom, int left, int right) {
    Conv2dGeometry g = new Conv2dGeometry(stride, top, bottom, left, right);
    int oh = g.outHeight(h, k);
    int ow = g.outWidth(w, k);
    float[] x = fixture.floats(2 * h * w * in, 1);
    float[] extra = fixture.floats(2 * out, 1);
    float[] residual = fixture.floats(2 * oh * ow * out, 1);
    for (DType type : List.of(DType.F32, DType.F16, DType.BF16)) {
      WeightTensor wt = fixture.weight(type, (float) (1 / Math.sqrt(in * k * k)), out, in, k, k);
      WeightTensor bias = fixture.weight(type, 1, out);
      float[] plain = Naive.conv(x, 2, h, w, in, wt.toFloats(), bias.toFloats(), k, g);
      float[] full = plain.clone();
      for (int i = 0; i < full.length; i++) {
        full[i] += residual[i] + extra[i / (oh * ow * out) * out + i % out];
      }
      float[] added = plain.clone();
      for (int i = 0; i < added.length; i++) {
        added[i] += residual[i];
      }
      try (PreparedWeight p = backend.prepareConv2d("conv", wt, bias)) {
        Tensor y = backend.allocate(2, oh, ow, out);
        Tensor tx = dense(backend, x, 2, h, w, in);
        backend.conv2d(tx, p, g, null, null, y);
        assertClose("conv " + type, plain, backend.toFloats(y), 2e-5, 2e-5);

        Tensor gapX = gapped(backend, x, 2, h, w, in);
        Tensor gapY = gapped(backend, new float[full.length], 2, oh, ow, out);
        Tensor r = gapped(backend, residual, 2, oh, ow, out);
        Tensor cb = columns(backend, extra, 2, out);
        backend.conv2d(gapX, p, g, cb, r, gapY);
        assertClose("conv, all added, gaps " + type, full, backend.toFloats(gapY), 2e-5, 2e-5);

        backend.conv2d(tx, p, g, null, dense(backend, residual, 2, oh, ow, out), y);
        assertClose("conv + residual " + type, added, backend.toFloats(y), 2e-5, 2e-5);

        backend.write(residual, 0, y);
        backend.conv2d(tx, p, g, null, y, y);
        assertClose("conv onto itself " + type, added, backend.toFloats(y), 2e-5, 2e-5);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1, 32, 48",
    "2, 1, 320, 1280",
    "1, 77, 64, 96",
    "2, 9, 33, 17",
    "2, 64, 320, 320",
    "3, 5, 5, 1"
  })
  void linear(int b, int l, int in, int out) {
    int rows = b * l;
    float[] x = fixture.floats(rows * in, 1);
    float[] residual = fixture.floats(rows * out, 1);
    for (DType type : List.of(DType.F32, DType.F16, DType.BF16)) {
      WeightTensor w = fixture.weight(type, (float) (1 / Math.sqrt(in)), out, in);
      WeightTensor bias = fixture.weight(type, 1, out);
      try (PreparedWeight p = backend.prepareLinear("l", List.of(w), List.of(bias));
          PreparedWeight bare = backend.prepareLinear("l", List.of(w), null)) {
        for (Activation a : Activation.values()) {
          float[] plain = Naive.linear(x, rows, in, w.toFloats(), bias.toFloats(), a, null);
          float[] added = Naive.linear(x, rows, in, w.toFloats(), bias.toFloats(), a, residual);
          Tensor tx = dense(backend, x, b, l, in);
          Tensor y = backend.allocate(b, l, out);
          backend.linear(tx, p, a, null, y);
          assertClose("linear " + a, plain, backend.toFloats(y), 1e-5, 1e-5);
          backend.linear(tx, p, a, dense(backend, residual, b, l, out), y);
          assertClose("linear + residual " + a, added, backend.toFloats(y), 1e-5, 1e-5);
          backend.write(residual, 0, y);
          backend.linear(tx, p, a, y, y);
          assertClose("linear onto itself " + a, added, backend.toFloats(y), 1e-5, 1e-5);
          Tensor spaced = columns(backend, new float[rows * out], b, l, out);
          backend.linear(
              columns(backend, x, b, l, in), p, a, columns(backend, residual, b, l, out), spaced);
          assertClose("spaced linear " + a, added, backend.toFloats(spaced), 1e-5, 1e-5);
        }
        float[] unbiased = Naive.linear(x, rows, in, w.toFloats(), null, Activation.NONE, null);
        Tensor y = gapped(backend, new float[rows * out], b, l, out);
        backend.linear(gapped(backend, x, b, l, in), bare, Activation.NONE, null, y);
        assertClose("linear without bias", unbiased, backend.toFloats(y), 1e-5, 1e-5);
      }
    }
  }

  @Test
  void linearOfSeveralPartsAndRowSlices() {
    int in = 24;
    float[] x = fixture.floats(6 * in, 1);
    WeightTensor q = fixture.weight(DType.F16, 0.2f, 8, in);
    WeightTensor k = fixture.weight(DType.F16, 0.2f, 12, in, 1, 1);
    WeightTensor v = fixture.weight(DType.F16, 0.2f, 4, in);
    try (PreparedWeight p = backend.prepareLinear("qkv", List.of(q, k, v), null)) {
      Tensor tx = dense(backend, x, 6, in);
      Tensor y = backend.allocate(6, 24);
      backend.linear(tx, p, Activation.NONE, null, y);
      backend.linear(tx, p.rows(8, 24), Activation.NONE, null, backend.allocate(6, 16));
      int from = 0;
      for (WeightTensor part : List.of(q, k, v)) {
        int n = part.shape().size(0);
        float[] expected = Naive.linear(x, 6, in, part.toFloats(), null, Activation.NONE, null);
        assertClose(
            "column slice", expected, backend.toFloats(y.slice(1, from, from + n)), 1e-5, 1e-5);
        Tensor own = backend.allocate(6, n);
        backend.linear(tx, p.rows(from, from + n), Activation.NONE, null, own);
        assertClose("row slice", expected, backend.toFloats(own), 1e-5, 1e-5);
        from += n;
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"2, 5, 16, 24", "1, 1000, 32, 1280", "2, 7, 9, 5"})
  void geglu(int b, int l, int in, int half) {
    int rows = b * l;
    float[] x = fixture.floats(rows * in, 1);
    WeightTensor w = fixture.weight(DType.F16, 0.2f, 2 * half, in);
    WeightTensor bias = fixture.weight(DType.F16, 1, 2 * half);
    float[] both = Naive.linear(x, rows, in, w.toFloats(), bias.toFloats(), Activation.NONE, null);
    float[] expected = new float[rows * half];
    for (int i = 0; i < expected.length; i++) {
      int at = i / half * 2 * half + i % half;
      expected[i] = (float) (both[at] * Naive.activate(Activation.GELU, both[at + half]));
    }
    try (PreparedWeight p = backend.prepareLinear("g", List.of(w), List.of(bias), half)) {
      Tensor y = backend.allocate(b, l, half);
      backend.geglu(dense(backend, x, b, l, in), p, y);
      assertClose("geglu", expected, backend.toFloats(y), 2e-5, 2e-5);
      Tensor g = gapped(backend, new float[expected.length], b, l, half);
      backend.geglu(gapped(backend, x, b, l, in), p, g);
      assertClose("geglu with gaps", expected, backend.toFloats(g), 2e-5, 2e-5);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "2, 5, 7, 32, 8, 0",
    "1, 8, 8, 320, 32, 0",
    "2, 3, 3, 2560, 32, 0",
    "1, 9, 9, 4, 2, 50",
    "2, 16, 16, 64, 32, 1000"
  })
  void groupNorm(int b, int h, int w, int c, int groups, float mean) {
    float[] x = fixture.floats(b * h * w * c, 1);
    for (int i = 0; i < x.length; i++) {
      x[i] += mean * (1 + i % c % 3);
    }
    WeightTensor scale = fixture.weight(DType.F32, 1, c);
    WeightTensor shift = fixture.weight(DType.F16, 1, c);
    double[] m = Naive.moments(x, b, h * w, c, groups);
    double[] other = m.clone();
    for (int i = 0; i < other.length; i++) {
      other[i] = other[i] * 1.1 + 0.1;
    }
    double tolerance = 2e-5 + mean * 1e-6;
    try (PreparedWeight p = backend.prepareNorm("n", scale, shift)) {
      for (Activation a : List.of(Activation.NONE, Activation.SILU)) {
        float[] expected =
            Naive.groupNorm(x, b, h * w, c, m, scale.toFloats(), shift.toFloats(), 1e-5f, a);
        Tensor y = backend.allocate(b, h, w, c);
        Tensor tx = dense(backend, x, b, h, w, c);
        backend.groupNorm(tx, p, groups, 1e-5f, a, y);
        assertClose("group norm", expected, backend.toFloats(y), tolerance, tolerance);
        Tensor gap = gapped(backend, x, b, h, w, c);
        backend.groupNorm(gap, p, groups, 1e-5f, a, gap);
        assertClose("in place, gaps", expected, backend.toFloats(gap), tolerance, tolerance);

        Tensor moments = backend.allocate(DType.F32, Shape.of(b, groups, 2));
        backend.groupMoments(gapped(backend, x, b, h, w, c), groups, moments);
        assertClose("moments", floats(m), backend.toFloats(moments), 1e-6, 2e-6);

        backend.write(floats(other), 0, moments);
        float[] with =
            Naive.groupNorm(x, b, h * w, c, other, scale.toFloats(), shift.toFloats(), 1e-5f, a);
        backend.groupNormWith(tx, moments, p, groups, 1e-5f, a, y);
        assertClose("given moments", with, backend.toFloats(y), tolerance, tolerance);
        Tensor again = gapped(backend, x, b, h, w, c);
        backend.groupNormWith(again, moments, p, groups, 1e-5f, a, again);
        assertClose("given, in place", with, backend.toFloats(again), tolerance, tolerance);
      }
    }
  }

  private static float[] floats(double[] d) {
    float[] f = new float[d.length];
    for (int i = 0; i < d.length; i++) {
      f[i] = (float) d[i];
    }
    return f;
  }

  @ParameterizedTest
  @CsvSource({"2, 5, 32", "1, 77, 768", "3, 4, 7"})
  void layerNorm(int b, int l, int c) {
    float[] x = fixture.floats(b * l * c, 2);
    WeightTensor scale = fixture.weight(DType.F16, 1, c);
    WeightTensor shift = fixture.weight(DType.F16, 1, c);
    double[] m = Naive.moments(x, b * l, 1, c, 1);
    float[] expected =
        Naive.groupNorm(
            x, b * l, 1, c, m, scale.toFloats(), shift.toFloats(), 1e-5f, Activation.NONE);
    try (PreparedWeight p = backend.prepareNorm("n", scale, shift)) {
      Tensor y = backend.allocate(b, l, c);
      backend.layerNorm(dense(backend, x, b, l, c), p, 1e-5f, y);
      assertClose("layer norm", expected, backend.toFloats(y), 1e-5, 1e-5);
      Tensor g = gapped(backend, x, b, l, c);
      Tensor z = gapped(backend, new float[x.length], b, l, c);
      backend.layerNorm(g, p, 1e-5f, z);
      assertClose("gaps", expected, backend.toFloats(z), 1e-5, 1e-5);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, 77, 77, 12, 64, true",
    "2, 65, 65, 2, 8, true",
    "2, 16, 16, 2, 16, false",
    "2, 100, 77, 8, 40, false",
    "1, 300, 130, 3, 24, false",
    "2, 70, 9, 1, 160, false",
    "1, 130, 16000, 2, 8, false"
  })
  void attention(int b, int lq, int lk, int heads, int d, boolean causal) {
    int c = heads * d;
    float[] q = fixture.floats(b * lq * c, 1);
    float[] k = fixture.floats(b * lk * c, 1);
    float[] v = fixture.floats(b * lk * c, 1);
    float scale = (float) (1 / Math.sqrt(d));
    float[] expected = Naive.attention(q, k, v, b, lq, lk, heads, d, scale, causal);
    Tensor out = backend.allocate(b, lq, c);
    backend.attention(
        dense(backend, q, b, lq, c),
        dense(backend, k, b, lk, c),
        dense(backend, v, b, lk, c),
        heads,
        scale,
        causal,
        out);
    assertClose("attention", expected, backend.toFloats(out), 1e-5, 1e-5);
    Tensor spaced = columns(backend, new float[expected.length], b, lq, c);
    backend.attention(
        columns(backend, q, b, lq, c),
        gapped(backend, k, b, lk, c),
        columns(backend, v, b, lk, c),
        heads,
        scale,
        causal,
        spaced);
    assertClose("spaced attention", expected, backend.toFloats(spaced), 1e-5, 1e-5);
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void activation(Activation a) {
    float[] x = fixture.floats(2 * 3 * 5 * 7, 3);
    float[] expected = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      expected[i] = (float) Naive.activate(a, x[i]);
    }
    Tensor y = backend.allocate(2, 3, 5, 7);
    backend.activation(dense(backend, x, 2, 3, 5, 7), a, y);
    assertClose("activation", expected, backend.toFloats(y), 1e-6, 2e-6);
    Tensor g = gapped(backend, x, 2, 3, 5, 7);
    backend.activation(g, a, g);
    assertClose("in place, gaps", expected, backend.toFloats(g), 1e-6, 2e-6);
  }

  @Test
  void arithmetic() {
    float[] a = fixture.floats(2 * 70 * 70 * 16, 1);
    float[] b = fixture.floats(a.length, 1);
    float[] sum = new float[a.length];
    float[] scaled = new float[a.length];
    for (int i = 0; i < a.length; i++) {
      sum[i] = a[i] + b[i] * -0.75f;
      scaled[i] = a[i] * 3;
    }
    Tensor ta = gapped(backend, a, 2, 70, 70, 16);
    Tensor tb = dense(backend, b, 2, 70, 70, 16);
    Tensor out = backend.allocate(2, 70, 70, 16);
    backend.addScaled(ta, tb, -0.75f, out);
    assertClose("addScaled", sum, backend.toFloats(out), 0, 1e-7);
    backend.scale(ta, 3, out);
    assertClose("scale", scaled, backend.toFloats(out), 0, 0);
    backend.addScaled(ta, tb, -0.75f, tb);
    assertClose("addScaled onto b", sum, backend.toFloats(tb), 0, 1e-7);
    backend.scale(ta, 3, ta);
    assertClose("scale in place", scaled, backend.toFloats(ta), 0, 0);
  }

  @ParameterizedTest
  @CsvSource({"6, 10", "5, 10", "6, 9", "5, 9"})
  void upsample(int oh, int ow) {
    float[] x = fixture.floats(2 * 3 * 5 * 4, 1);
    float[] expected = new float[2 * oh * ow * 4];
    for (int i = 0; i < expected.length; i++) {
      int px = i / 4 % ow / 2;
      int py = i / 4 / ow % oh / 2;
      expected[i] = x[((i / 4 / ow / oh * 3 + py) * 5 + px) * 4 + i % 4];
    }
    Tensor out = gapped(backend, new float[expected.length], 2, oh, ow, 4);
    backend.upsampleNearest2x(gapped(backend, x, 2, 3, 5, 4), out);
    assertClose("upsample", expected, backend.toFloats(out), 0, 0);
  }

  @Test
  void concatChannels() {
    float[] a = fixture.floats(2 * 3 * 5 * 4, 1);
    float[] b = fixture.floats(2 * 3 * 5 * 7, 1);
    float[] expected = new float[a.length + b.length];
    for (int p = 0; p < 30; p++) {
      System.arraycopy(a, p * 4, expected, p * 11, 4);
      System.arraycopy(b, p * 7, expected, p * 11 + 4, 7);
    }
    Tensor out = gapped(backend, new float[expected.length], 2, 3, 5, 11);
    backend.concatChannels(
        List.of(gapped(backend, a, 2, 3, 5, 4), dense(backend, b, 2, 3, 5, 7)), out);
    assertClose("concat", expected, backend.toFloats(out), 0, 0);
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16", "BF16"})
  void embeddingAndCopies(DType type) {
    WeightTensor table = fixture.weight(type, 1, 10, 6);
    float[] rows = table.toFloats();
    int[] ids = {3, 9, 0, 3, 1, 7};
    float[] expected = new float[36];
    for (int i = 0; i < 6; i++) {
      System.arraycopy(rows, ids[i] * 6, expected, i * 6, 6);
    }
    try (PreparedWeight p = backend.prepareEmbedding("e", table)) {
      Tensor out = gapped(backend, new float[36], 2, 3, 6);
      backend.embedding(ids, p, out);
      assertClose("embedding", expected, backend.toFloats(out), 0, 0);
      // the values are exact in the table's type, so a copy through it loses nothing
      Tensor half = backend.allocate(type, Shape.of(2, 3, 6));
      backend.copy(out, half);
      Tensor back = columns(backend, new float[36], 2, 3, 6);
      backend.copy(half, back);
      assertClose("copies", expected, backend.toFloats(back), 0, 0);
    }
  }
}
