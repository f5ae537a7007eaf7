package io.github.distrifuser.cpu;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.Arrays;

/**
 * Copies a weight into a blocked layout. oneDNN's own reorders take a generic path for halves and
 * need minutes for a large model.
 */
final class WeightPacker {
  /** Columns that are copied row by row, so that what is written stays in the caches. */
  private static final int TILE = 32;

  private WeightPacker() {}

  /**
   * @param weight {@code [out, in, kh, kw]}
   * @param dtype type to store
   */
  static void pack(
      WeightTensor weight, DType dtype, BlockedLayout layout, Slab target, Workers workers) {
    int outs = weight.shape().size(0);
    int[] columnAt = columns(weight.shape(), layout);
    int block = layout.blockOf(0);
    long padded = layout.elements();
    long blockElements = padded / (layout.paddedDims().get(0) / block);
    // where the output channels are outermost, one of their blocks is one piece of memory
    boolean pieces = layout.strides().get(0) == blockElements;
    if (!pieces) {
      block = outs;
      blockElements = padded;
    }
    pack(weight, dtype, layout.offsets(0), columnAt, block, blockElements, 0, target, workers);
  }

  /**
   * Packs some rows of a linear layer's weight.
   *
   * @param weight {@code [out, in]}
   * @param layout of {@code [in, out]}, of all rows; whole blocks of rows are pieces of memory
   * @param to element at which the rows begin
   */
  static void packRows(
      WeightTensor weight,
      DType dtype,
      BlockedLayout layout,
      long to,
      Slab target,
      Workers workers) {
    int block = layout.blockOf(1);
    long size = layout.strides().get(1);
    int[] columnAt = Arrays.copyOf(layout.offsets(0), weight.shape().size(1));
    pack(weight, dtype, layout.offsets(1), columnAt, block, size, to, target, workers);
  }

  /** Packs rows in blocks, each of which is one piece of memory. */
  private static void pack(
      WeightTensor weight,
      DType dtype,
      int[] rowAt,
      int[] columnAt,
      int block,
      long blockElements,
      long to,
      Slab target,
      Workers workers) {
    int outs = weight.shape().size(0);
    int columns = columnAt.length;
    int size = Math.toIntExact(blockElements);
    boolean wide = dtype == DType.F32;
    workers.run(
        (outs + block - 1) / block,
        (t, scratch) -> {
          int first = t * block;
          int n = Math.min(block, outs - first);
          int at = Math.toIntExact(to + (long) t * size);
          if (wide) {
            float[] source = floats(weight, first * (long) columns, n * columns);
            float[] packed = new float[size];
            for (int c = 0; c < columns; c += TILE) {
              scatter(source, n, c, rowAt, columnAt, packed);
            }
            target.floats(0).put(at, packed);
          } else {
            short[] source = shorts(weight, dtype, first * (long) columns, n * columns);
            short[] packed = new short[size];
            for (int c = 0; c < columns; c += TILE) {
              scatter(source, n, c, rowAt, columnAt, packed);
            }
            target.shorts(0).put(at, packed);
          }
        });
  }

  /** Puts a tile of columns, from one on, of dense rows into their places. */
  private static void scatter(
      float[] source, int rows, int from, int[] rowAt, int[] columnAt, float[] packed) {
    int columns = columnAt.length;
    int to = Math.min(columns, from + TILE);
    for (int r = 0; r < rows; r++) {
      for (int c = from; c < to; c++) {
        packed[columnAt[c] + rowAt[r]] = source[r * columns + c];
      }
    }
  }

  private static void scatter(
      short[] source, int rows, int from, int[] rowAt, int[] columnAt, short[] packed) {
    int columns = columnAt.length;
    int to = Math.min(columns, from + TILE);
    for (int r = 0; r < rows; r++) {
      for (int c = from; c < to; c++) {
        packed[columnAt[c] + rowAt[r]] = source[r * columns + c];
      }
    }
  }

  /** What each of the {@code in * kh * kw} elements of an output channel adds to its place. */
  private static int[] columns(Shape weight, BlockedLayout layout) {
    int[] in = layout.offsets(1);
    int[] y = layout.offsets(2);
    int[] x = layout.offsets(3);
    int kh = weight.size(2);
    int kw = weight.size(3);
    int[] at = new int[Math.toIntExact(weight.elements() / weight.dim(0))];
    for (int i = 0; i < at.length; i++) {
      at[i] = in[i / (kh * kw)] + y[i / kw % kh] + x[i % kw];
    }
    return at;
  }

  /** Copies a packed weight into another layout. */
  static void repack(
      Shape weight, DType dtype, BlockedLayout from, Slab source, BlockedLayout to, Slab target) {
    int[] fromRow = from.offsets(0);
    int[] toRow = to.offsets(0);
    int[] fromColumn = columns(weight, from);
    int[] toColumn = columns(weight, to);
    int size = Math.toIntExact(to.elements());
    if (dtype == DType.F32) {
      FloatBuffer old = source.floats(0);
      float[] packed = new float[size];
      for (int r = 0; r < weight.dim(0); r++) {
        for (int c = 0; c < fromColumn.length; c++) {
          packed[toRow[r] + toColumn[c]] = old.get(fromRow[r] + fromColumn[c]);
        }
      }
      target.floats(0).put(0, packed);
    } else {
      ShortBuffer old = source.shorts(0);
      short[] packed = new short[size];
      for (int r = 0; r < weight.dim(0); r++) {
        for (int c = 0; c < fromColumn.length; c++) {
          packed[toRow[r] + toColumn[c]] = old.get(fromRow[r] + fromColumn[c]);
        }
      }
      target.shorts(0).put(0, packed);
    }
  }

  private static float[] floats(WeightTensor w, long from, int n) {
    float[] out = new float[n];
    NativeWeight.read(w.dtype(), slice(w, from, n), 0, out, n);
    return out;
  }

  private static short[] shorts(WeightTensor w, DType dtype, long from, int n) {
    ByteBuffer data = slice(w, from, n);
    short[] out = new short[n];
    if (w.dtype() == dtype) {
      data.asShortBuffer().get(out);
    } else {
      float[] f = new float[n];
      NativeWeight.read(w.dtype(), data, 0, f, n);
      for (int i = 0; i < n; i++) {
        out[i] = NativeWeight.fromFloat(dtype, f[i]);
      }
    }
    return out;
  }

  private static ByteBuffer slice(WeightTensor w, long from, int n) {
    int size = w.dtype().bytes();
    ByteBuffer d = w.data();
    return d.slice(Math.toIntExact(from * size), n * size).order(d.order());
  }
}
