package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_FROM;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_TO;
import static org.bytedeco.dnnl.global.dnnl.dnnl_reorder_primitive_desc_create;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;

/**
 * Mean and variance of groups of channels. Each channel is summed as its distance from its own
 * first value, in floats for a few pixels and in doubles beyond, so that means far above the
 * deviation lose nothing. The pieces do not depend on the number of threads, so neither does the
 * result.
 */
final class GroupMoments {
  /** Pixels that are summed in floats. */
  private static final int FLOAT_PIXELS = 32;

  /** Halves that are widened at a time; as floats they stay in the second-level cache. */
  private static final int WIDENED = 64 << 10;

  private static final int MAX_PIECES = 32;

  private final DnnContext context;

  GroupMoments(DnnContext context) {
    this.context = context;
  }

  private record WidenKey(long elements, DType dtype) {}

  /**
   * Writes mean and variance of each group in turn.
   *
   * @param x {@code [b, .., c]}, dense within a batch entry
   * @param moments F32 {@code [b, groups, 2]}
   */
  void moments(Tensor x, int groups, Tensor moments) {
    HostView in = HostView.of(x);
    HostView out = HostView.of(moments);
    int batch = x.size(0);
    int channels = x.size(-1);
    long pixels = x.shape().elements() / batch / channels;
    long perPiece = Math.max(FLOAT_PIXELS, (pixels + MAX_PIECES - 1) / MAX_PIECES);
    int pieces = (int) ((pixels + perPiece - 1) / perPiece);
    double[][] sums = new double[batch * pieces][];
    float[][] origins = new float[batch][channels];
    HostScratch scratch = new HostScratch();
    for (int b = 0; b < batch; b++) {
      for (int c = 0; c < channels; c += HostScratch.BLOCK) {
        int n = Math.min(HostScratch.BLOCK, channels - c);
        in.read(b * x.stride(0) + c, origins[b], c, n, scratch);
      }
    }
    if (x.dtype() != DType.F32) {
      for (int i = 0; i < context.threads(); i++) { // here, so that places don't depend on timing
        widened(context.ofWorker(i), channels);
      }
    }
    context
        .workers()
        .run(
            sums.length,
            (i, own) -> {
              int b = i / pieces;
              long from = i % pieces * perPiece;
              Piece p = new Piece(x, b, channels, origins[b], own);
              sums[i] = p.sum(from, Math.min(pixels, from + perPiece));
            });
    float[] result = new float[2 * groups];
    for (int b = 0; b < batch; b++) {
      double[] total = sums[b * pieces];
      for (int i = 1; i < pieces; i++) {
        double[] s = sums[b * pieces + i];
        for (int c = 0; c < s.length; c++) {
          total[c] += s[c];
        }
      }
      combine(total, origins[b], pixels, groups, result);
      for (int at = 0; at < result.length; at += HostScratch.BLOCK) {
        int n = Math.min(HostScratch.BLOCK, result.length - at);
        out.write((long) b * result.length + at, result, at, n, scratch);
      }
    }
  }

  private static SlabAllocator.Block widened(DnnContext own, int channels) {
    long elements = (long) widenedPixels(channels) * channels;
    return own.scratch(DnnContext.Scratch.WIDENED, elements * Float.BYTES);
  }

  private static int widenedPixels(int channels) {
    return Math.max(1, WIDENED / channels / FLOAT_PIXELS) * FLOAT_PIXELS;
  }

  /** Sums of one range of pixels. */
  private final class Piece {
    private final Tensor x;
    private final int entry;
    private final int channels;
    private final float[] origin;
    private final HostScratch scratch;

    Piece(Tensor x, int entry, int channels, float[] origin, HostScratch scratch) {
      this.x = x;
      this.entry = entry;
      this.channels = channels;
      this.origin = origin;
      this.scratch = scratch;
    }

    /** For each channel the sum of distances from the origin, then that of their squares. */
    double[] sum(long from, long to) {
      double[] total = new double[2 * channels];
      HostView in = HostView.of(x);
      long base = entry * x.stride(0);
      if (x.dtype() == DType.F32) {
        add(in, base + from * channels, to - from, total);
        return total;
      }
      int step = widenedPixels(channels);
      for (long p = from; p < to; p += step) {
        long n = Math.min(step, to - p);
        add(widen(base + p * channels, n * channels), 0, n, total);
      }
      return total;
    }

    /** Adds the sums of some pixels, which are floats. */
    private void add(HostView in, long first, long pixels, double[] total) {
      float[] s1 = new float[Math.min(channels, HostScratch.BLOCK)];
      float[] s2 = new float[s1.length];
      float[] o = new float[s1.length];
      for (int c0 = 0; c0 < channels; c0 += HostScratch.BLOCK) {
        int width = Math.min(HostScratch.BLOCK, channels - c0);
        System.arraycopy(origin, c0, o, 0, width);
        for (long p = 0; p < pixels; ) {
          long end = Math.min(pixels, p + FLOAT_PIXELS);
          java.util.Arrays.fill(s1, 0);
          java.util.Arrays.fill(s2, 0);
          for (; p < end; p++) {
            in.read(first + p * channels + c0, scratch.a, 0, width, scratch);
            accumulate(scratch.a, o, width, s1, s2);
          }
          for (int c = 0; c < width; c++) {
            total[c0 + c] += s1[c];
            total[channels + c0 + c] += s2[c];
          }
        }
      }
    }

    /** Elements of the tensor as floats: Java's compiler does not vectorise what widens halves. */
    private HostView widen(long first, long elements) {
      DnnContext own = context.ofWorker(scratch.worker);
      WidenKey key = new WidenKey(elements, x.dtype());
      SlabAllocator.Block target = widened(own, channels);
      own.run(
          own.primitive(key, () -> widening(key)),
          x.address() + first * x.dtype().bytes(),
          target.address());
      return HostView.of(target, DType.F32);
    }
  }

  private static DnnPrimitive widening(WidenKey k) {
    try (Attr attr = new Attr();
        Md from = Md.dense(k.dtype, k.elements);
        Md to = Md.dense(DType.F32, k.elements)) {
      return new DnnPrimitive(
          "widening " + k,
          attr,
          (pd, a) ->
              dnnl_reorder_primitive_desc_create(
                  pd, from.handle(), OneDnn.engine(), to.handle(), OneDnn.engine(), a),
          DNNL_ARG_FROM,
          DNNL_ARG_TO);
    }
  }

  /** Loops with one target and one index, which Java's compiler turns into vector instructions. */
  private static void accumulate(float[] x, float[] origin, int width, float[] s1, float[] s2) {
    for (int c = 0; c < width; c++) {
      x[c] -= origin[c];
    }
    for (int c = 0; c < width; c++) {
      s1[c] += x[c];
    }
    for (int c = 0; c < width; c++) {
      s2[c] += x[c] * x[c];
    }
  }

  /** Channels' sums to groups' moments, by the parallel form of the variance. */
  private static void combine(
      double[] total, float[] origin, long pixels, int groups, float[] result) {
    int channels = origin.length;
    int width = channels / groups;
    for (int g = 0; g < groups; g++) {
      double mean = 0;
      for (int c = g * width; c < (g + 1) * width; c++) {
        mean += origin[c] + total[c] / pixels;
      }
      mean /= width;
      double squares = 0;
      for (int c = g * width; c < (g + 1) * width; c++) {
        double own = origin[c] + total[c] / pixels;
        squares +=
            total[channels + c]
                - total[c] * total[c] / pixels
                + pixels * (own - mean) * (own - mean);
      }
      result[2 * g] = (float) mean;
      result[2 * g + 1] = (float) (Math.max(0, squares) / ((double) pixels * width));
    }
  }
}
