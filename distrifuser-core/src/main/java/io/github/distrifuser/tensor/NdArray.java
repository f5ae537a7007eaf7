package io.github.distrifuser.tensor;

import java.util.Arrays;
import java.util.List;

/**
 * A dense row-major array of floats on the host: what pipelines hand to models and get back
 * (latents {@code [n, 4, h, w]}, prompt embeddings {@code [n, 77, d]}). The array is not copied.
 *
 * @param data elements
 * @param shape its shape; the count must agree
 */
public record NdArray(float[] data, Shape shape) {

  public NdArray {
    if (shape.elements() != data.length) {
      throw new IllegalArgumentException(data.length + " elements for an array of shape " + shape);
    }
  }

  public static NdArray of(float[] data, long... dims) {
    return new NdArray(data, Shape.of(dims));
  }

  /** All zeros. */
  public static NdArray zeros(long... dims) {
    Shape s = Shape.of(dims);
    return new NdArray(new float[Math.toIntExact(s.elements())], s);
  }

  /** The i-th dimension as an int; a negative index counts from the end. */
  public int size(int i) {
    return shape.size(i);
  }

  /** A copy of entries {@code [from, to)} of dimension 0. */
  public NdArray rows(int from, int to) {
    int row = shape.dim(0) == 0 ? 0 : Math.toIntExact(shape.elements() / shape.dim(0));
    return new NdArray(Arrays.copyOfRange(data, from * row, to * row), shape.with(0, to - from));
  }

  /** Joins arrays along dimension 0; all other dimensions must agree. */
  public static NdArray concat(List<NdArray> parts) {
    Shape first = parts.get(0).shape;
    long n = 0;
    int total = 0;
    for (NdArray p : parts) {
      if (!p.shape.with(0, 1).equals(first.with(0, 1))) {
        throw new IllegalArgumentException("cannot join " + first + " and " + p.shape);
      }
      n += p.shape.dim(0);
      total += p.data.length;
    }
    float[] out = new float[total];
    int at = 0;
    for (NdArray p : parts) {
      System.arraycopy(p.data, 0, out, at, p.data.length);
      at += p.data.length;
    }
    return new NdArray(out, first.with(0, n));
  }

  /**
   * Each entry of dimension 0 repeated {@code times} times in a row (torch's repeat_interleave).
   */
  public NdArray repeatInterleave(int times) {
    int n = size(0);
    int row = n == 0 ? 0 : data.length / n;
    float[] out = new float[data.length * times];
    for (int i = 0; i < n; i++) {
      for (int k = 0; k < times; k++) {
        System.arraycopy(data, i * row, out, (i * times + k) * row, row);
      }
    }
    return new NdArray(out, shape.with(0, (long) n * times));
  }

  /** Joins two arrays along their last dimension; all other dimensions must agree. */
  public static NdArray concatLast(NdArray a, NdArray b) {
    if (!a.shape.with(-1, 1).equals(b.shape.with(-1, 1))) {
      throw new IllegalArgumentException("cannot join " + a.shape + " and " + b.shape);
    }
    int ca = a.size(-1);
    int cb = b.size(-1);
    int rows = a.data.length / ca;
    float[] out = new float[a.data.length + b.data.length];
    for (int i = 0; i < rows; i++) {
      System.arraycopy(a.data, i * ca, out, i * (ca + cb), ca);
      System.arraycopy(b.data, i * cb, out, i * (ca + cb) + ca, cb);
    }
    return new NdArray(out, a.shape.with(-1, ca + cb));
  }

  /**
   * A copy of a box of {@code [n, c, h, w]}: entries {@code [n0, n1)}, rows {@code [row0, row1)}
   * and columns {@code [col0, col1)}, with all channels.
   */
  public NdArray box(int n0, int n1, int row0, int row1, int col0, int col1) {
    int c = size(1);
    int w = col1 - col0;
    NdArray out = zeros(n1 - n0, c, row1 - row0, w);
    int at = 0;
    for (int plane = n0 * c; plane < n1 * c; plane++) {
      for (int y = row0; y < row1; y++) {
        System.arraycopy(data, (plane * size(2) + y) * size(3) + col0, out.data, at, w);
        at += w;
      }
    }
    return out;
  }

  /** {@code [n, c, h, w]} to {@code [n, h, w, c]}. */
  public NdArray toChannelsLast() {
    int n = size(0);
    int c = size(1);
    int hw = size(2) * size(3);
    float[] out = new float[data.length];
    for (int b = 0; b < n; b++) {
      for (int k = 0; k < c; k++) {
        int src = (b * c + k) * hw;
        int dst = b * hw * c + k;
        for (int p = 0; p < hw; p++) {
          out[dst + p * c] = data[src + p];
        }
      }
    }
    return NdArray.of(out, n, size(2), size(3), c);
  }

  /** {@code [n, h, w, c]} to {@code [n, c, h, w]}. */
  public NdArray toChannelsFirst() {
    int n = size(0);
    int c = size(3);
    int hw = size(1) * size(2);
    float[] out = new float[data.length];
    for (int b = 0; b < n; b++) {
      for (int k = 0; k < c; k++) {
        int dst = (b * c + k) * hw;
        int src = b * hw * c + k;
        for (int p = 0; p < hw; p++) {
          out[dst + p] = data[src + p * c];
        }
      }
    }
    return NdArray.of(out, n, c, size(1), size(2));
  }

  @Override
  public boolean equals(Object o) {
    return o instanceof NdArray a && a.shape.equals(shape) && Arrays.equals(a.data, data);
  }

  @Override
  public int hashCode() {
    return 31 * shape.hashCode() + Arrays.hashCode(data);
  }

  @Override
  public String toString() {
    return "NdArray" + shape;
  }
}
