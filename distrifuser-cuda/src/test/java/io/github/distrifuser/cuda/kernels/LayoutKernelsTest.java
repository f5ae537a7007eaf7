package io.github.distrifuser.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("cuda-standin")
class LayoutKernelsTest {
  private final Reference reference = new Reference();
  private final Launches launches = new Launches();

  /** Equal, NaNs alike, whatever their bits. */
  static void same(float[] expected, float[] actual, Object what) {
    assertArrayEquals(expected, actual, what.toString());
  }

  private static float[] nans(int n) {
    float[] f = new float[n];
    Arrays.fill(f, Float.NaN);
    return f;
  }

  /** Dense strides of d, permuted: dimension i of the result is dimension order[i]. */
  private static long[] strides(long[] d, int... order) {
    long[] dense = new long[5];
    long n = 1;
    for (int i = 4; i >= 0; i--) {
      dense[order[i]] = n;
      n *= d[order[i]];
    }
    return dense;
  }

  private static List<@Nullable Object> arguments(@Nullable Object... first) {
    return new ArrayList<>(Arrays.asList(first));
  }

  private static void add(List<@Nullable Object> to, long[]... numbers) {
    for (long[] some : numbers) {
      for (long n : some) {
        to.add(n);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void copiesOfAnyStridesAndTypes(DType dtype) {
    long[] d = {2, 3, 1, 5, 7};
    for (DType from : Reference.TYPES) {
      float[] x = reference.randoms(from, 210);
      long[] s = strides(d, 4, 1, 0, 2, 3);
      long[] t = strides(d, 2, 0, 3, 1, 4);
      float[] expected = new float[210];
      each(d, i -> expected[at(i, t)] = x[at(i, s)]);
      Memory out = Memory.of(dtype, nans(210));
      List<@Nullable Object> arguments = arguments(Memory.of(from, x), from.ordinal(), out);
      add(arguments, d, s, t);
      launches.launch("copyStrided", dtype, 2, arguments.toArray());
      float[] rounded = Memory.of(dtype, expected).rounded();
      launches.then(() -> same(rounded, out.floats(), "from " + from));
    }
    launches.run();
  }

  private interface Visitor {
    void visit(long[] index);
  }

  private static void each(long[] d, Visitor visitor) {
    long[] i = new long[5];
    for (i[0] = 0; i[0] < d[0]; i[0]++) {
      for (i[1] = 0; i[1] < d[1]; i[1]++) {
        for (i[2] = 0; i[2] < d[2]; i[2]++) {
          for (i[3] = 0; i[3] < d[3]; i[3]++) {
            for (i[4] = 0; i[4] < d[4]; i[4]++) {
              visitor.visit(i);
            }
          }
        }
      }
    }
  }

  private static int at(long[] index, long[] strides) {
    long n = 0;
    for (int i = 0; i < 5; i++) {
      n += index[i] * strides[i];
    }
    return (int) n;
  }

  @Test
  void bytesOfEveryWidth() {
    long[] d = {3, 1, 4, 2, 5};
    for (int width : new int[] {1, 2, 4, 8}) {
      byte[] x = new byte[120 * width];
      new Random(width).nextBytes(x);
      long[] s = strides(d, 3, 4, 0, 1, 2);
      long[] t = strides(d, 0, 1, 2, 4, 3);
      byte[] expected = new byte[x.length];
      each(d, i -> System.arraycopy(x, at(i, s) * width, expected, at(i, t) * width, width));
      Memory out = Memory.bytes(new byte[x.length]);
      List<@Nullable Object> arguments = arguments(Memory.bytes(x), out, width);
      add(arguments, d, s, t);
      launches.launch("copyBytes", null, 1, arguments.toArray());
      launches.then(() -> assertArrayEquals(expected, out.bytes(), "width " + width));
    }
    launches.run();
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void fillsLeaveGapsAlone(DType dtype) {
    Spread s = new Spread(3, 5, 7, 2, 9, 1);
    Memory out = s.output(dtype);
    List<@Nullable Object> arguments = arguments(out, 0.3f);
    add(arguments, new long[] {1, 1, 3, 5, 7, 0, 0, s.batchStride(), s.rowStride(), 1});
    launches.launch("fillStrided", dtype, 1, arguments.toArray());
    float[] expected = new float[s.elements()];
    Arrays.fill(expected, 0.3f);
    float[] rounded = Memory.of(dtype, expected).rounded();
    launches.then(() -> same(rounded, s.gather(out.floats()), s));
    launches.run();
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void enlargements(DType dtype) {
    // batch, height, width, channels, gap, rows cut, columns cut
    int[][] sizes = {
      {1, 1, 1, 1, 0, 0, 0}, {1, 1, 1, 8, 0, 1, 1}, {2, 3, 5, 7, 1, 1, 0}, {2, 5, 3, 16, 8, 0, 1}
    };
    for (int[] s : sizes) {
      int h = 2 * s[1] - s[5];
      int w = 2 * s[2] - s[6];
      Spread from = new Spread(s[0], s[1] * s[2], s[3], 0, s[4], 0);
      Spread to = new Spread(s[0], h * w, s[3], 0, 2 * s[4], 0);
      float[] x = reference.randoms(dtype, from.elements());
      float[] expected = new float[to.elements()];
      try (Tensor t = reference.tensor(x, s[0], s[1], s[2], s[3]);
          Tensor y = reference.backend.allocate(s[0], h, w, s[3])) {
        reference.backend.upsampleNearest2x(t, y);
        reference.backend.read(y, expected, 0);
      }
      Memory out = to.output(dtype);
      launches.launch(
          "upsampleNearest2x",
          dtype,
          2,
          from.memory(dtype, x),
          out,
          s[0],
          s[2],
          s[3],
          h,
          w,
          from.batchStride(),
          to.batchStride());
      launches.then(() -> same(expected, to.gather(out.floats()), to));
    }
    launches.run();
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void partsJoinAlongTheChannels(DType dtype) {
    for (int offset : new int[] {0, 8, 3}) {
      for (int channels : new int[] {16, 5}) {
        Spread from = new Spread(2, 6, channels, 0, 8, 0);
        Spread to = new Spread(2, 6, channels, 24 - channels, 16, offset);
        float[] x = reference.randoms(dtype, from.elements());
        Memory whole = to.output(dtype);
        Memory out = Memory.of(dtype, whole.rounded()); // the argument is the row's first channel
        launches.launch(
            "concatChannels",
            dtype,
            2,
            from.memory(dtype, x),
            out,
            12,
            6,
            channels,
            offset,
            from.batchStride(),
            from.rowStride(),
            to.batchStride(),
            to.rowStride());
        launches.then(() -> same(x, to.gather(out.floats()), to));
      }
    }
    launches.run();
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void rowsOfTables(DType dtype) {
    int[] ids = {4, 0, 4, 1, 3, 2};
    Spread to = new Spread(2, 3, 11, 0, 5, 0);
    float[] table = reference.randoms(dtype, 5 * 11);
    float[] expected = new float[to.elements()];
    for (int i = 0; i < ids.length; i++) {
      System.arraycopy(table, ids[i] * 11, expected, i * 11, 11);
    }
    Memory out = to.output(dtype);
    launches.launch(
        "embedding",
        dtype,
        1,
        Memory.ints(ids),
        Memory.of(dtype, table),
        out,
        6,
        3,
        11,
        to.batchStride(),
        to.rowStride());
    launches.then(() -> same(expected, to.gather(out.floats()), to));
    launches.run();
  }

  /** The columns times the kernel must be the reference's convolution. */
  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void columnsOfConvolutions(DType dtype) {
    // batch, height, width, channels, kernel, stride, top, bottom, left, right, gap
    int[][] sizes = {
      {1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0}, {2, 5, 4, 3, 3, 1, 1, 1, 1, 1, 1},
      {1, 6, 7, 8, 3, 2, 1, 0, 0, 1, 0}, {2, 4, 5, 16, 3, 1, 0, 1, 1, 1, 8},
      {1, 9, 8, 2, 5, 3, 2, 2, 1, 3, 0}
    };
    for (int[] s : sizes) {
      Conv2dGeometry g = new Conv2dGeometry(s[5], s[6], s[7], s[8], s[9]);
      int k = s[4];
      int h = g.outHeight(s[1], k);
      int w = g.outWidth(s[2], k);
      int inner = k * k * s[3];
      Spread from = new Spread(s[0], s[1] * s[2], s[3], 0, s[10], 0);
      float[] x = reference.randoms(dtype, from.elements());
      float[] weight = reference.randoms(dtype, inner);
      float[] expected = convolution(x, weight, s, g, h, w);
      int rows = s[0] * h * w;
      int first = rows / 3; // in two pieces
      for (int[] piece : new int[][] {{0, first}, {first, rows}}) {
        int n = piece[1] - piece[0];
        Memory out = Memory.of(dtype, nans(n * inner));
        launches.launch(
            "im2col",
            dtype,
            2,
            from.memory(dtype, x),
            out,
            piece[0],
            n,
            s[1],
            s[2],
            s[3],
            k,
            k,
            s[5],
            s[6],
            s[8],
            h,
            w,
            from.batchStride());
        float[] some = Arrays.copyOfRange(expected, piece[0], piece[1]);
        launches.then(
            () ->
                Reference.close(
                    DType.F32, some, product(out.floats(), weight), Arrays.toString(s)));
      }
    }
    launches.run();
  }

  /** One output channel; weight [kh, kw, in]. */
  private float[] convolution(float[] x, float[] weight, int[] s, Conv2dGeometry g, int h, int w) {
    int k = s[4];
    float[] turned = new float[weight.length]; // [in, kh, kw]
    for (int i = 0; i < weight.length; i++) {
      turned[i % s[3] * k * k + i / s[3]] = weight[i];
    }
    try (Tensor t = reference.tensor(x, s[0], s[1], s[2], s[3]);
        Tensor y = reference.backend.allocate(s[0], h, w, 1)) {
      reference.backend.conv2d(
          t,
          reference.backend.prepareConv2d(
              "c", Reference.weight("c.weight", turned, 1, s[3], k, k), null),
          g,
          null,
          null,
          y);
      return reference.backend.toFloats(y);
    }
  }

  private static float[] product(float[] columns, float[] weight) {
    float[] out = new float[columns.length / weight.length];
    for (int r = 0; r < out.length; r++) {
      double sum = 0;
      for (int i = 0; i < weight.length; i++) {
        sum += (double) columns[r * weight.length + i] * weight[i];
      }
      out[r] = (float) sum;
    }
    return out;
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void haloRowsGoOutAndComeIn(DType dtype) {
    for (int[] rows : new int[][] {{1, 1}, {2, 1}, {0, 1}, {1, 0}}) {
      Spread whole = new Spread(2, 5, 21, 0, 4, 0);
      float[] x = reference.randoms(dtype, whole.elements());
      Spread above = Spread.dense(2, rows[0], 21);
      Spread below = Spread.dense(2, rows[1], 21);
      Memory up = rows[0] == 0 ? null : above.output(dtype);
      Memory down = rows[1] == 0 ? null : below.output(dtype);
      launches.launch(
          "haloPack",
          dtype,
          1,
          whole.memory(dtype, x),
          up,
          down,
          2,
          5,
          21,
          whole.batchStride(),
          rows[0],
          rows[1]);
      float[] first = rowsOf(x, 0, rows[0]);
      float[] last = rowsOf(x, 5 - rows[1], rows[1]);
      if (up != null) {
        launches.then(() -> same(first, up.floats(), "to above"));
      }
      if (down != null) {
        launches.then(() -> same(last, down.floats(), "to below"));
      }
      float[] fromAbove = reference.randoms(dtype, above.elements());
      float[] fromBelow = reference.randoms(dtype, below.elements());
      Memory filled = whole.memory(dtype, x);
      launches.launch(
          "haloUnpack",
          dtype,
          2,
          rows[0] == 0 ? null : Memory.of(dtype, fromAbove),
          rows[1] == 0 ? null : Memory.of(dtype, fromBelow),
          filled,
          2,
          5,
          21,
          whole.batchStride(),
          rows[0],
          rows[1]);
      float[] expected = x.clone();
      for (int b = 0; b < 2; b++) {
        int n = rows[0] * 21;
        System.arraycopy(fromAbove, b * n, expected, b * 105, n);
        n = rows[1] * 21;
        System.arraycopy(fromBelow, b * n, expected, (b + 1) * 105 - n, n);
      }
      launches.then(() -> same(expected, whole.gather(filled.floats()), "unpacked"));
    }
    launches.run();
  }

  private static float[] rowsOf(float[] x, int from, int n) {
    float[] out = new float[2 * n * 21];
    for (int b = 0; b < 2; b++) {
      System.arraycopy(x, b * 105 + from * 21, out, b * n * 21, n * 21);
    }
    return out;
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void timeEmbeddingsAreTheHostsOwn(DType dtype) {
    float[] times = {0, 1, 999, 500.25f, 1024};
    for (int width : new int[] {2, 32, 33, 320}) {
      for (boolean flip : new boolean[] {false, true}) {
        float shift = width == 32 ? 1 : 0;
        Spread to = new Spread(times.length, 1, width, 3, 0, 0);
        Memory out = to.output(dtype);
        launches.launch(
            "timeEmbedding",
            dtype,
            1,
            Memory.floats(times),
            out,
            times.length,
            width,
            flip ? 1 : 0,
            shift,
            to.rowStride());
        float[] expected = Memory.of(dtype, sinusoids(times, width, flip, shift)).rounded();
        launches.then(() -> same(expected, to.gather(out.floats()), "width " + width));
      }
    }
    launches.run();
  }

  /** As the UNet computes them on the host. */
  private static float[] sinusoids(float[] values, int width, boolean flip, float shift) {
    int half = width / 2;
    float[] out = new float[values.length * width];
    float log = (float) -Math.log(10000);
    for (int i = 0; i < half; i++) {
      float frequency = (float) Math.exp(log * i / (half - shift));
      for (int b = 0; b < values.length; b++) {
        float angle = values[b] * frequency;
        out[b * width + (flip ? half : 0) + i] = (float) Math.sin(angle);
        out[b * width + (flip ? 0 : half) + i] = (float) Math.cos(angle);
      }
    }
    return out;
  }
}
