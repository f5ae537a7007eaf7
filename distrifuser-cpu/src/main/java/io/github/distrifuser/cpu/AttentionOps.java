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
 * picked out of the packed rows by strides.
 */
final class AttentionOps {
  /** Bytes of scores held at a time. */
  private static final long SCORES = 2L << 20;

  private static final int ROWS = 128;

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
    StreamedAttention.Exact exact =
        (b, from, to) -> exact(q, k, v, heads, scale, causal, out, b, from, to);
    if (StreamedAttention.serves(q, k, causal)) {
      streamed.attention(q, k, v, heads, scale, out, exact);
      return;
    }
    for (int b = 0; b < q.size(0); b++) {
      exact.attention(b, 0, q.size(1));
    }
  }

  /** Queries {@code [from, to)} of one batch entry, whatever the scores. */
  private void exact(
      Tensor q,
      Tensor k,
      Tensor v,
      int heads,
      float scale,
      boolean causal,
      Tensor out,
      int b,
      int from,
      int to) {
    long queries = to - from;
    long keys = k.shape().dim(1);
    long d = q.shape().dim(2) / heads;
    long dv = v.shape().dim(2) / heads;
    DType dtype = q.dtype();
    int size = dtype.bytes();
    long blocks = (queries + ROWS - 1) / ROWS;
    long rows = blocks == 0 ? 1 : (queries + blocks - 1) / blocks; // none is left with one row
    int together = (int) Math.max(1, Math.min(heads, SCORES / (rows * keys * Float.BYTES)));
    SlabAllocator.Block scores =
        context.scratch(DnnContext.Scratch.SCORES, together * rows * keys * Float.BYTES);
    long shares =
        dtype == DType.F32
            ? scores.address()
            : context.scratch(DnnContext.Scratch.SHARES, together * rows * keys * size).address();
    long qb = q.address() + (b * q.stride(0) + from * q.stride(1)) * size;
    long kb = k.address() + b * k.stride(0) * size;
    long vb = v.address() + b * v.stride(0) * size;
    long ob = out.address() + (b * out.stride(0) + from * out.stride(1)) * size;
    for (int h = 0; h < heads; h += together) {
      int n = Math.min(together, heads - h);
      for (long r = 0; r < queries; r += rows) {
        long m = Math.min(rows, queries - r);
        ProductKey first =
            new ProductKey(
                n,
                m,
                d,
                keys,
                d,
                q.stride(1),
                d,
                1,
                k.stride(1),
                m * keys,
                keys,
                scale,
                dtype,
                DType.F32);
        run(first, qb + (r * q.stride(1) + h * d) * size, kb + h * d * size, scores.address());
        if (causal) {
          host.maskCausal(scores, DType.F32, n, (int) m, (int) (from + r), (int) keys);
        }
        softmax(n * m, keys, dtype, scores.address(), shares);
        ProductKey second =
            new ProductKey(
                n,
                m,
                keys,
                dv,
                m * keys,
                keys,
                dv,
                v.stride(1),
                1,
                dv,
                out.stride(1),
                1,
                dtype,
                dtype);
        run(second, shares, vb + h * dv * size, ob + (r * out.stride(1) + h * dv) * size);
      }
    }
  }

  private void run(ProductKey key, long a, long b, long c) {
    context.run(context.primitive(key, () -> product(key)), a, b, c);
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

  private void softmax(long rows, long columns, DType dtype, long scores, long shares) {
    SoftmaxKey key = new SoftmaxKey(rows, columns, dtype);
    DnnPrimitive p = context.primitive(key, () -> softmax(key));
    context.run(p, scores, shares);
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
