package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.dnnl_forward_inference;
import static org.bytedeco.dnnl.global.dnnl.dnnl_matmul_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_softmax_accurate;
import static org.bytedeco.dnnl.global.dnnl.dnnl_softmax_forward_primitive_desc_create;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import org.bytedeco.dnnl.dnnl_memory_desc;

/**
 * Attention: streamed over the keys where that serves, else in blocks of query rows with all their
 * scores: those of one block for some heads, softmax in place, product with the values. Heads are
 * picked out of the packed rows by strides. Where there is enough to do each worker takes blocks
 * and heads by itself, so that none waits for another within a block.
 */
final class AttentionOps {
  /** Bytes of scores held at a time: by all threads together, and by a worker. */
  private static final long SCORES = 2L << 20;

  private static final long WORKER_SCORES = 512L << 10;
  private static final int ROWS = 128;

  /** Multiplications of one call that are worth waking workers for. */
  private static final double WORTH = 2e7;

  private final DnnContext context;
  private final HostKernels host;
  private final StreamedAttention streamed;

  AttentionOps(DnnContext context, HostKernels host) {
    this.context = context;
    this.host = host;
    this.streamed = new StreamedAttention(context);
  }

  private record ProductKey(
      long heads,
      long rows,
      long in,
      long out,
      long aHead,
      long aRow,
      long bHead,
      long bIn,
      long bOut,
      long cHead,
      long cRow,
      float scale,
      DType dtype,
      DType result) {}

  private record SoftmaxKey(long rows, long columns, DType dtype) {}

  /** See {@code Backend.attention}; shapes are checked. */
  void attention(Tensor q, Tensor k, Tensor v, int heads, float scale, boolean causal, Tensor out) {
    Call call = new Call(q, k, v, heads, scale, causal, out);
    if (StreamedAttention.serves(q, k, causal)) {
      streamed.attention(q, k, v, heads, scale, out, call::exact);
      return;
    }
    if (!causal && context.threads() > 1 && call.multiplications() >= WORTH) {
      call.byWorkers();
      return;
    }
    for (int b = 0; b < q.size(0); b++) {
      call.exact(b, 0, call.queries);
    }
  }

  /** One call's arguments and sizes. */
  private final class Call {
    final Tensor q;
    final Tensor k;
    final Tensor v;
    final int heads;
    final float scale;
    final boolean causal;
    final Tensor out;
    final int queries;
    final int keys;
    final int d;
    final int dv;

    Call(Tensor q, Tensor k, Tensor v, int heads, float scale, boolean causal, Tensor out) {
      this.q = q;
      this.k = k;
      this.v = v;
      this.heads = heads;
      this.scale = scale;
      this.causal = causal;
      this.out = out;
      queries = q.size(1);
      keys = k.size(1);
      d = q.size(2) / heads;
      dv = v.size(2) / heads;
    }

    double multiplications() {
      return (double) q.size(0) * heads * queries * keys * (d + dv);
    }

    /** Rows of a block when this many are cut evenly: none is left with one row. */
    int rows(int queries) {
      int blocks = (queries + ROWS - 1) / ROWS;
      return blocks == 0 ? 1 : (queries + blocks - 1) / blocks;
    }

    /** Heads whose scores of a block fit. */
    int together(int rows, long bytes) {
      return (int) Math.max(1, Math.min(heads, bytes / ((long) rows * keys * Float.BYTES)));
    }

    /** Queries {@code [from, to)} of one batch entry, by all threads, whatever the scores. */
    void exact(int b, int from, int to) {
      int rows = rows(to - from);
      int together = together(rows, SCORES);
      for (int h = 0; h < heads; h += together) {
        for (int r = from; r < to; r += rows) {
          block(context, b, r, Math.min(rows, to - r), h, Math.min(together, heads - h));
        }
      }
    }

    /** Everything, each block by one worker. */
    void byWorkers() {
      int rows = rows(queries);
      int rowBlocks = (queries + rows - 1) / rows;
      int most = together(rows, WORKER_SCORES);
      int together = Math.max(1, Math.min(most, heads * rowBlocks / (4 * context.threads())));
      int groups = (heads + together - 1) / together;
      for (int i = 0; i < context.threads(); i++) { // here, so that places don't depend on timing
        scores(context.ofWorker(i), rows, together);
        shares(context.ofWorker(i), rows, together);
      }
      context
          .workers()
          .run(
              q.size(0) * groups * rowBlocks,
              (i, scratch) -> {
                int r = i % rowBlocks * rows;
                int h = i / rowBlocks % groups * together;
                int b = i / rowBlocks / groups;
                block(
                    context.ofWorker(scratch.worker),
                    b,
                    r,
                    Math.min(rows, queries - r),
                    h,
                    Math.min(together, heads - h));
              });
    }

    private SlabAllocator.Block scores(DnnContext own, int rows, int heads) {
      return own.scratch(DnnContext.Scratch.SCORES, (long) heads * rows * keys * Float.BYTES);
    }

    /** Where the softmax goes: its input's place, but for 16-bit types. */
    private SlabAllocator.Block shares(DnnContext own, int rows, int heads) {
      return q.dtype() == DType.F32
          ? scores(own, rows, heads)
          : own.scratch(DnnContext.Scratch.SHARES, (long) heads * rows * keys * q.dtype().bytes());
    }

    /** Queries {@code [r, r + m)} of heads {@code [h, h + n)}. */
    private void block(DnnContext own, int b, int r, int m, int h, int n) {
      DType dtype = q.dtype();
      int size = dtype.bytes();
      SlabAllocator.Block scores = scores(own, m, n);
      long shares = shares(own, m, n).address();
      long from = q.address() + (b * q.stride(0) + r * q.stride(1) + (long) h * d) * size;
      long keyFrom = k.address() + (b * k.stride(0) + (long) h * d) * size;
      long valueFrom = v.address() + (b * v.stride(0) + (long) h * dv) * size;
      long to = out.address() + (b * out.stride(0) + r * out.stride(1) + (long) h * dv) * size;
      long all = (long) m * keys;
      ProductKey first =
          new ProductKey(
              n, m, d, keys, d, q.stride(1), d, 1, k.stride(1), all, keys, scale, dtype, DType.F32);
      run(own, first, from, keyFrom, scores.address());
      if (causal) {
        host.maskCausal(scores, DType.F32, n, m, r, keys);
      }
      softmax(own, (long) n * m, keys, dtype, scores.address(), shares);
      ProductKey second =
          new ProductKey(
              n, m, keys, dv, all, keys, dv, v.stride(1), 1, dv, out.stride(1), 1, dtype, dtype);
      run(own, second, shares, valueFrom, to);
    }
  }

  private static void run(DnnContext own, ProductKey key, long a, long b, long c) {
    own.run(own.primitive(key, () -> product(key)), a, b, c);
  }

  private static DnnPrimitive product(ProductKey k) {
    try (Attr attr = new Attr().scale(k.scale);
        Md a =
            Md.strided(
                k.dtype, new long[] {k.heads, k.rows, k.in}, new long[] {k.aHead, k.aRow, 1});
        Md b =
            Md.strided(
                k.dtype, new long[] {k.heads, k.in, k.out}, new long[] {k.bHead, k.bIn, k.bOut});
        Md c =
            Md.strided(
                k.result, new long[] {k.heads, k.rows, k.out}, new long[] {k.cHead, k.cRow, 1})) {
      dnnl_memory_desc noBias = new dnnl_memory_desc();
      return new DnnPrimitive(
          "attention product " + k,
          attr,
          (pd, at) ->
              dnnl_matmul_primitive_desc_create(
                  pd, OneDnn.engine(), a.handle(), b.handle(), noBias, c.handle(), at),
          DNNL_ARG_SRC,
          DNNL_ARG_WEIGHTS,
          DNNL_ARG_DST);
    }
  }

  private static void softmax(
      DnnContext own, long rows, long columns, DType dtype, long scores, long shares) {
    SoftmaxKey key = new SoftmaxKey(rows, columns, dtype);
    DnnPrimitive p = own.primitive(key, () -> softmax(key));
    own.run(p, scores, shares);
  }

  private static DnnPrimitive softmax(SoftmaxKey k) {
    try (Attr attr = new Attr();
        Md scores = Md.dense(DType.F32, k.rows, k.columns);
        Md shares = Md.dense(k.dtype, k.rows, k.columns)) {
      return new DnnPrimitive(
          "softmax " + k,
          attr,
          (pd, a) ->
              dnnl_softmax_forward_primitive_desc_create(
                  pd,
                  OneDnn.engine(),
                  dnnl_forward_inference,
                  dnnl_softmax_accurate,
                  scores.handle(),
                  shares.handle(),
                  1,
                  a),
          DNNL_ARG_SRC,
          DNNL_ARG_DST);
    }
  }
}
