package io.github.distrifuser.cuda;

import io.github.distrifuser.cuda.CudnnGraph.Descriptor;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** cuDNN's plans for attention in 16 bits, one for each shape. */
final class SdpaPlans implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(SdpaPlans.class);
  private static final int GRAIN = 8; // of widths, strides and addresses, in elements

  /** Numbers of the graph's tensors: q, k, v, out, scale. */
  static final long[] IDS = {1, 2, 3, 4, 5};

  /** An attention's shape; strides in elements. */
  record Key(
      DType dtype,
      long batch,
      long heads,
      long queries,
      long keys,
      long width,
      long valueWidth,
      RowView q,
      RowView k,
      RowView v,
      RowView out) {

    /** The shape of a call. */
    static Key of(Tensor q, Tensor k, Tensor v, int heads, Tensor out) {
      return new Key(
          q.dtype(),
          q.shape().dim(0),
          heads,
          q.shape().dim(1),
          k.shape().dim(1),
          q.shape().dim(2) / heads,
          v.shape().dim(2) / heads,
          RowView.of(q),
          RowView.of(k),
          RowView.of(v),
          RowView.of(out));
    }

    /** Whether cuDNN may be asked: 16 bits, and everything in eights. */
    boolean isEligible() {
      long all = width | valueWidth;
      for (RowView r : new RowView[] {q, k, v, out}) {
        all |= r.rowStride() | r.batchStride();
      }
      return dtype != DType.F32 && all % GRAIN == 0;
    }
  }

  private final CudaContext context;
  private final Map<Key, Optional<CudnnPlan>> plans = new HashMap<>();

  SdpaPlans(CudaContext context) {
    this.context = context;
  }

  /** The plan for an eligible shape, or null where cuDNN has no engine. */
  @Nullable CudnnPlan find(Key key) {
    return plans.computeIfAbsent(key, this::search).orElse(null);
  }

  private Optional<CudnnPlan> search(Key key) {
    CudnnPlan.Search search = new CudnnPlan.Search(context.dnn(), false);
    CudnnPlan plan = search.find(graph(key));
    if (plan == null) {
      LOG.warn(
          "cuDNN has no engine for {}, which a kernel of our own computes: {}",
          key,
          search.reasons());
    }
    return Optional.ofNullable(plan);
  }

  /** The graph of a shape, its tensors numbered as {@link #IDS} says. */
  static CudnnGraph graph(Key a) {
    CudnnGraph g = new CudnnGraph();
    Descriptor q = tensor(g, a, a.queries, a.width, a.q);
    Descriptor k = tensor(g, a, a.keys, a.width, a.k);
    Descriptor v = tensor(g, a, a.keys, a.valueWidth, a.v);
    Descriptor out = tensor(g, a, a.queries, a.valueWidth, a.out);
    g.attention(q, k, v, g.scalar(4), out);
    return g;
  }

  private static Descriptor tensor(CudnnGraph g, Key a, long length, long width, RowView rows) {
    return g.tensor(
        ConvPlans.type(a.dtype),
        2 * GRAIN,
        new long[] {a.batch, a.heads, length, width},
        new long[] {rows.batchStride(), width, rows.rowStride(), 1});
  }

  @Override
  public void close() {
    plans.values().forEach(p -> p.ifPresent(CudnnPlan::close));
    plans.clear();
  }
}
