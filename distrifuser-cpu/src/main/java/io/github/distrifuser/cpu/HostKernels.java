package io.github.distrifuser.cpu;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.util.Arrays;

/** Element-wise operators and copies in Java: for any strides and types. */
final class HostKernels {
  /** Elements that are worth a task of their own. */
  private static final long TASK = 1L << 16;

  private final Workers workers;

  HostKernels(Workers workers) {
    this.workers = workers;
  }

  /** Works on one block: {@code a} holds the first operand and takes the result. */
  private interface Block {
    void apply(float[] a, float[] b, int n);
  }

  private interface Range {
    void run(long from, long to, HostScratch scratch);
  }

  private void parallel(long elements, Range range) {
    int tasks = Math.toIntExact((elements + TASK - 1) / TASK);
    workers.run(
        tasks, (i, scratch) -> range.run(i * TASK, Math.min(elements, (i + 1) * TASK), scratch));
  }

  void write(float[] source, int offset, Tensor target) {
    HostView out = HostView.of(target);
    Runs runs = new Runs(target);
    parallel(
        runs.elements(),
        (from, to, scratch) -> {
          for (long p = from; p < to; ) {
            int n = blockAt(runs, p, to);
            out.write(runs.offset(0, p), source, Math.toIntExact(offset + p), n, scratch);
            p += n;
          }
        });
  }

  void read(Tensor source, float[] target, int offset) {
    HostView in = HostView.of(source);
    Runs runs = new Runs(source);
    parallel(
        runs.elements(),
        (from, to, scratch) -> {
          for (long p = from; p < to; ) {
            int n = blockAt(runs, p, to);
            in.read(runs.offset(0, p), target, Math.toIntExact(offset + p), n, scratch);
            p += n;
          }
        });
  }

  void fill(Tensor target, float value) {
    HostView out = HostView.of(target);
    Runs runs = new Runs(target);
    parallel(
        runs.elements(),
        (from, to, scratch) -> {
          Arrays.fill(scratch.a, value);
          for (long p = from; p < to; ) {
            int n = blockAt(runs, p, to);
            out.write(runs.offset(0, p), scratch.a, 0, n, scratch);
            p += n;
          }
        });
  }

  void copy(Tensor source, Tensor target) {
    HostView in = HostView.of(source);
    HostView out = HostView.of(target);
    Runs runs = new Runs(source, target);
    boolean same = source.dtype() == target.dtype();
    parallel(
        runs.elements(),
        (from, to, scratch) -> {
          for (long p = from; p < to; ) {
            if (same) {
              long n = Math.min(runs.remaining(p), to - p);
              in.copyTo(runs.offset(0, p), out, runs.offset(1, p), n);
              p += n;
            } else {
              int n = blockAt(runs, p, to);
              in.read(runs.offset(0, p), scratch.a, 0, n, scratch);
              out.write(runs.offset(1, p), scratch.a, 0, n, scratch);
              p += n;
            }
          }
        });
  }

  void addScaled(Tensor a, Tensor b, float scale, Tensor out) {
    binary(
        a,
        b,
        out,
        (x, y, n) -> {
          for (int i = 0; i < n; i++) {
            x[i] += y[i] * scale;
          }
        });
  }

  void scale(Tensor a, float factor, Tensor out) {
    unary(
        a,
        out,
        (x, unused, n) -> {
          for (int i = 0; i < n; i++) {
            x[i] *= factor;
          }
        });
  }

  private void unary(Tensor a, Tensor out, Block block) {
    HostView va = HostView.of(a);
    HostView vo = HostView.of(out);
    Runs runs = new Runs(a, out);
    parallel(
        runs.elements(),
        (from, to, scratch) -> {
          for (long p = from; p < to; ) {
            int n = blockAt(runs, p, to);
            va.read(runs.offset(0, p), scratch.a, 0, n, scratch);
            block.apply(scratch.a, scratch.a, n);
            vo.write(runs.offset(1, p), scratch.a, 0, n, scratch);
            p += n;
          }
        });
  }

  private void binary(Tensor a, Tensor b, Tensor out, Block block) {
    HostView va = HostView.of(a);
    HostView vb = HostView.of(b);
    HostView vo = HostView.of(out);
    Runs runs = new Runs(a, b, out);
    parallel(
        runs.elements(),
        (from, to, scratch) -> {
          for (long p = from; p < to; ) {
            int n = blockAt(runs, p, to);
            va.read(runs.offset(0, p), scratch.a, 0, n, scratch);
            vb.read(runs.offset(1, p), scratch.b, 0, n, scratch);
            block.apply(scratch.a, scratch.b, n);
            vo.write(runs.offset(2, p), scratch.a, 0, n, scratch);
            p += n;
          }
        });
  }

  /** Enlarges {@code [b, h, w, c]} by two; the last row and column may appear once. */
  void upsampleNearest2x(Tensor x, Tensor out) {
    HostView in = HostView.of(x);
    HostView to = HostView.of(out);
    int height = x.size(1);
    int width = x.size(2);
    long channels = x.shape().dim(3);
    long outWidth = out.shape().dim(2);
    long rowElements = outWidth * channels;
    workers.run(
        x.size(0) * height,
        (task, scratch) -> {
          int b = task / height;
          int y = task % height;
          long from = b * x.stride(0) + y * x.stride(1);
          long row = b * out.stride(0) + 2L * y * out.stride(1);
          for (int i = 0; i < width; i++) {
            long pixel = from + i * channels;
            long at = row + 2L * i * channels;
            in.copyTo(pixel, to, at, channels);
            if (2L * i + 1 < outWidth) {
              in.copyTo(pixel, to, at + channels, channels);
            }
          }
          if (2L * y + 1 < out.shape().dim(1)) {
            to.copyTo(row, to, row + out.stride(1), rowElements);
          }
        });
  }

  /** Copies rows of a table. */
  void embedding(int[] ids, EmbeddingWeight table, Tensor out) {
    HostView to = HostView.of(out);
    int width = out.size(-1);
    int length = out.size(1);
    workers.run(
        ids.length,
        (i, scratch) -> {
          long at = i / length * out.stride(0) + i % length * out.stride(1);
          for (int c = 0; c < width; c += HostScratch.BLOCK) {
            int n = Math.min(HostScratch.BLOCK, width - c);
            table.read(ids[i], c, scratch.a, n);
            to.write(at + c, scratch.a, 0, n, scratch);
          }
        });
  }

  /** Sets scores of keys that come after their query to minus infinity. */
  void maskCausal(
      SlabAllocator.Block scores, DType dtype, int heads, int rows, int first, int keys) {
    HostView view = HostView.of(scores, dtype);
    workers.run(
        heads,
        (h, scratch) -> {
          Arrays.fill(scratch.a, Float.NEGATIVE_INFINITY);
          for (int r = 0; r < rows; r++) {
            long row = ((long) h * rows + r) * keys;
            for (int k = first + r + 1; k < keys; ) {
              int n = Math.min(HostScratch.BLOCK, keys - k);
              view.write(row + k, scratch.a, 0, n, scratch);
              k += n;
            }
          }
        });
  }

  private static int blockAt(Runs runs, long position, long end) {
    return (int) Math.min(HostScratch.BLOCK, Math.min(runs.remaining(position), end - position));
  }
}
