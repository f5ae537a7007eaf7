package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.OperatorChecks;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.Tensor;
import java.util.List;

/** Elementwise operators, resampling, joining and looking up. */
final class ElementOps {
  private final CudaContext context;
  private final Copies copies;

  ElementOps(CudaContext context, Copies copies) {
    this.context = context;
    this.copies = copies;
  }

  /** Batches and elements of each: one batch where that is all the same. */
  private static long[] split(Tensor... all) {
    long n = all[0].shape().elements();
    boolean dense = true;
    for (Tensor t : all) {
      dense &= t.isDense();
    }
    if (dense || n == 0) {
      return new long[] {1, n};
    }
    long batch = all[0].shape().dim(0);
    return new long[] {batch, n / batch};
  }

  private static long stride(Tensor t) {
    return t.shape().rank() == 0 ? 1 : t.stride(0);
  }

  void activation(Tensor x, Activation activation, Tensor out) {
    OperatorChecks.activation(context.dtype(), x, out);
    context
        .kernel("activate")
        .pointer(x)
        .pointer(out)
        .i64(split(x, out))
        .i64(stride(x), stride(out))
        .i32(activation.ordinal())
        .elements(context.compute(), x.shape().elements());
  }

  void addScaled(Tensor a, Tensor b, float scale, Tensor out) {
    OperatorChecks.addScaled(context.dtype(), a, b, out);
    context
        .kernel("addScaled")
        .pointer(a)
        .pointer(b)
        .f32(scale)
        .pointer(out)
        .i64(split(a, b, out))
        .i64(stride(a), stride(b), stride(out))
        .elements(context.compute(), a.shape().elements());
  }

  void scale(Tensor a, float factor, Tensor out) {
    OperatorChecks.scale(context.dtype(), a, out);
    context
        .kernel("scale")
        .pointer(a)
        .f32(factor)
        .pointer(out)
        .i64(split(a, out))
        .i64(stride(a), stride(out))
        .elements(context.compute(), a.shape().elements());
  }

  void upsampleNearest2x(Tensor x, Tensor out) {
    OperatorChecks.upsampleNearest2x(context.dtype(), x, out);
    context
        .kernel("upsampleNearest2x")
        .pointer(x)
        .pointer(out)
        .i64(x.shape().dim(0))
        .i32(x.size(2), x.size(3), out.size(1), out.size(2))
        .i64(x.stride(0), out.stride(0))
        .elements(context.compute(), out.shape().elements());
  }

  void concatChannels(List<Tensor> parts, Tensor out) {
    OperatorChecks.concatChannels(context.dtype(), parts, out);
    long pixels = out.shape().dim(1) * out.shape().dim(2);
    int channels = out.size(3);
    long offset = 0;
    for (Tensor p : parts) {
      context
          .kernel("concatChannels")
          .pointer(p)
          .pointer(out)
          .i64(out.shape().dim(0) * pixels, pixels)
          .i32(p.size(3), offset)
          .i64(p.stride(0), p.size(3), out.stride(0), channels)
          .elements(context.compute(), p.shape().elements());
      offset += p.size(3);
    }
  }

  void embedding(int[] ids, PreparedWeight table, Tensor out) {
    EmbeddingWeight w = WeightKinds.of("embedding", EmbeddingWeight.class, table);
    w.await(context);
    OperatorChecks.embedding(context.dtype(), ids, table, out);
    RowView rows = RowView.of(out);
    try (Tensor there = copies.upload(ids)) {
      context
          .kernel("embedding")
          .pointer(there)
          .pointer(w.address())
          .pointer(out)
          .i64(rows.allRows(), rows.rows())
          .i32(rows.channels())
          .i64(rows.batchStride(), rows.rowStride())
          .elements(context.compute(), out.shape().elements());
    }
  }
}
