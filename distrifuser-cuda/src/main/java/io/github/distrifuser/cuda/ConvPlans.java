package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_BFLOAT16;
import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_FLOAT;
import static org.bytedeco.cuda.global.cudnn.CUDNN_DATA_HALF;

import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.cuda.CudnnGraph.Descriptor;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * cuDNN's plans for convolutions, one for each shape: channels last, sums in fp32, with bias,
 * channel bias and residual fused as far as an engine takes them.
 */
final class ConvPlans implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ConvPlans.class);

  /** How much of what is added a graph contains. */
  enum Fusion {
    /** All that is asked for. */
    ALL,
    /** The bias only. */
    BIAS,
    /** Nothing. */
    NONE
  }

  /**
   * A convolution's shape; strides in elements, alignments in bytes.
   *
   * @param channelBiasStride between batches, 0 where there is none
   * @param residualStride between batches, 0 where there is none
   * @param alignment of all addresses, 16 at most
   */
  record Key(
      DType dtype,
      long batch,
      long height,
      long width,
      long in,
      long out,
      long kernelHeight,
      long kernelWidth,
      Conv2dGeometry geometry,
      long xStride,
      long outStride,
      boolean bias,
      long channelBiasStride,
      long residualStride,
      int alignment) {

    /**
     * The shape of a call.
     *
     * @param weight {@code [out, in, kh, kw]}
     * @param address of a tensor; only its lowest bits count
     */
    static Key of(
        Tensor x,
        Shape weight,
        boolean bias,
        Conv2dGeometry geometry,
        @Nullable Tensor channelBias,
        @Nullable Tensor residual,
        Tensor out,
        ToLongFunction<Tensor> address) {
      long places = 16;
      for (Tensor t : new Tensor[] {x, out, channelBias, residual}) {
        if (t != null) {
          places |= address.applyAsLong(t);
          places |= t.shape().dim(0) == 1 ? 0 : t.stride(0) * t.dtype().bytes();
        }
      }
      return new Key(
          x.dtype(),
          x.shape().dim(0),
          x.shape().dim(1),
          x.shape().dim(2),
          weight.dim(1),
          weight.dim(0),
          weight.dim(2),
          weight.dim(3),
          geometry,
          batchStride(x),
          batchStride(out),
          bias,
          channelBias == null ? 0 : batchStride(channelBias),
          residual == null ? 0 : batchStride(residual),
          Address.alignment(places));
    }

    /** Of a single image what it is long: where the next would lie changes nothing. */
    private static long batchStride(Tensor t) {
      return t.shape().dim(0) == 1 ? t.shape().elements() : t.stride(0);
    }

    boolean hasChannelBias() {
      return channelBiasStride != 0;
    }

    boolean hasResidual() {
      return residualStride != 0;
    }

    long outHeight() {
      return geometry.outHeight((int) height, (int) kernelHeight);
    }

    long outWidth() {
      return geometry.outWidth((int) width, (int) kernelWidth);
    }
  }

  /** A plan and what it fuses; no plan where cuDNN has no engine. */
  record Choice(@Nullable CudnnPlan plan, Fusion fusion) {}

  private final CudaContext context;
  private final Map<Key, Choice> choices = new HashMap<>();

  ConvPlans(CudaContext context) {
    this.context = context;
  }

  /** The best that cuDNN does for a shape. */
  Choice choose(Key key) {
    return choices.computeIfAbsent(key, this::search);
  }

  private Choice search(Key key) {
    StringBuilder reasons = new StringBuilder();
    boolean extras = key.hasChannelBias() || key.hasResidual();
    for (Fusion f : Fusion.values()) {
      if (f == Fusion.ALL && !extras || f == Fusion.BIAS && !key.bias) {
        continue;
      }
      CudnnPlan.Search search = new CudnnPlan.Search(context.dnn(), key.dtype == DType.F32);
      CudnnPlan plan = search.find(graph(key, f));
      if (plan != null) {
        return new Choice(plan, f);
      }
      reasons.append(f).append(": ").append(search.reasons()).append(' ');
    }
    LOG.warn("cuDNN has no engine for {}, which is computed as a product: {}", key, reasons);
    return new Choice(null, Fusion.NONE);
  }

  static int type(DType dtype) {
    return switch (dtype) {
      case F32 -> CUDNN_DATA_FLOAT;
      case F16 -> CUDNN_DATA_HALF;
      case BF16 -> CUDNN_DATA_BFLOAT16;
      default -> throw new IllegalArgumentException("no convolutions in " + dtype);
    };
  }

  /**
   * The graph of a shape. Its tensors are numbered in this order: x, w, y, then the bias, the
   * channel bias and the residual as far as they are fused.
   */
  static CudnnGraph graph(Key k, Fusion fusion) {
    CudnnGraph g = new CudnnGraph();
    int type = type(k.dtype);
    long[] xDims = {k.batch, k.in, k.height, k.width};
    long[] wDims = {k.out, k.in, k.kernelHeight, k.kernelWidth};
    long[] yDims = {k.batch, k.out, k.outHeight(), k.outWidth()};
    Descriptor x = g.tensor(type, k.alignment, xDims, channelsLast(xDims, k.xStride));
    Descriptor w =
        g.tensor(type, 16, wDims, channelsLast(wDims, k.in * k.kernelHeight * k.kernelWidth));
    Descriptor y = g.tensor(type, k.alignment, yDims, channelsLast(yDims, k.outStride));
    List<Descriptor> added = new ArrayList<>();
    long[] vector = {1, k.out, 1, 1};
    if (k.bias && fusion != Fusion.NONE) {
      added.add(g.tensor(type, 16, vector, channelsLast(vector, k.out)));
    }
    if (k.hasChannelBias() && fusion == Fusion.ALL) {
      long[] dims = {k.batch, k.out, 1, 1};
      added.add(g.tensor(type, k.alignment, dims, channelsLast(dims, k.channelBiasStride)));
    }
    if (k.hasResidual() && fusion == Fusion.ALL) {
      added.add(g.tensor(type, k.alignment, yDims, channelsLast(yDims, k.residualStride)));
    }
    Conv2dGeometry p = k.geometry;
    long[] before = {p.top(), p.left()};
    long[] after = {p.bottom(), p.right()};
    long[] strides = {p.stride(), p.stride()};
    long[] dense = channelsLast(yDims, k.out * k.outHeight() * k.outWidth());
    Descriptor result = added.isEmpty() ? y : g.virtual(yDims, dense);
    g.convolution(x, w, result, before, after, strides);
    for (int i = 0; i < added.size(); i++) {
      Descriptor next = i == added.size() - 1 ? y : g.virtual(yDims, dense);
      g.add(result, added.get(i), next);
      result = next;
    }
    return g;
  }

  /** Strides of {@code [n, c, h, w]} whose channels are adjacent. */
  private static long[] channelsLast(long[] dims, long batchStride) {
    return new long[] {batchStride, 1, dims[3] * dims[1], dims[1]};
  }

  @Override
  public void close() {
    choices.values().stream()
        .map(Choice::plan)
        .forEach(
            p -> {
              if (p != null) {
                p.close();
              }
            });
    choices.clear();
  }
}
