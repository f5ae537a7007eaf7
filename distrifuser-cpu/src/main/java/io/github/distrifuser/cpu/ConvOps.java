package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_BIAS;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_add;
import static org.bytedeco.dnnl.global.dnnl.dnnl_convolution_direct;
import static org.bytedeco.dnnl.global.dnnl.dnnl_convolution_forward_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_forward_inference;

import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.Winograd;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.dnnl.dnnl_primitive_desc;
import org.jspecify.annotations.Nullable;

/** Convolutions over channels-last feature maps. */
final class ConvOps {
  /** Side of the feature map for which a weight's layout is chosen. */
  private static final int TYPICAL_SIZE = 64;

  private final DnnContext context;
  private final @Nullable WinogradConv winograd;

  /** The layout that each primitive reads its weight in. */
  private final Map<Key, WeightLayout> layouts = new HashMap<>();

  /**
   * @param winograd whether {@link WinogradConv} serves where it is faster
   */
  ConvOps(DnnContext context, Winograd winograd) {
    this.context = context;
    this.winograd = winograd == Winograd.AUTO ? new WinogradConv(context) : null;
  }

  private enum Residual {
    NONE,
    /** The destination itself. */
    SUM,
    ADD
  }

  /** All that a convolution's code depends on. */
  private record Key(
      long batch,
      long height,
      long width,
      Shape weight,
      Conv2dGeometry geometry,
      DType dtype,
      DType weightType,
      BlockedLayout layout,
      Residual residual) {

    long outHeight() {
      return geometry.outHeight((int) height, weight.size(2));
    }

    long outWidth() {
      return geometry.outWidth((int) width, weight.size(3));
    }
  }

  /** Chooses a layout for all shapes of feature maps and packs the weight into it. */
  ConvWeight prepare(String name, WeightTensor weight, @Nullable WeightTensor bias, DType dtype) {
    Shape s = weight.shape();
    Conv2dGeometry g =
        new Conv2dGeometry(1, s.size(2) / 2, s.size(2) / 2, s.size(3) / 2, s.size(3) / 2);
    OmpThreads.use(context.threads());
    Md md = choose(1, TYPICAL_SIZE, TYPICAL_SIZE, s, g, context.dtype(), dtype, true);
    return new ConvWeight(name, weight, bias, dtype, md, context.workers());
  }

  /** Whether this CPU convolves fast with activations and a weight of a type. */
  static boolean isFast(DType dtype, Shape weight) {
    Conv2dGeometry g = Conv2dGeometry.of(1, weight.size(2) / 2);
    try {
      choose(1, TYPICAL_SIZE, TYPICAL_SIZE, weight, g, dtype, dtype, false).close();
      return true;
    } catch (DnnPrimitive.NotFastException e) {
      return false;
    }
  }

  /** The layout that oneDNN wants for a shape. */
  private static Md choose(
      long batch,
      long height,
      long width,
      Shape s,
      Conv2dGeometry g,
      DType dtype,
      DType type,
      boolean slowToo) {
    try (Attr attr = new Attr();
        Md any = Md.any(type, s.toArray())) {
      return WeightLayout.wanted(
          DnnPrimitive.describe(
              "convolution of " + dtype + Shape.of(batch, height, width) + " with " + type + s,
              attr,
              (pd, a) -> create(pd, a, batch, height, width, s, g, dtype, any),
              slowToo));
    }
  }

  /** See {@code Backend.conv2d}; shapes are checked. */
  void conv2d(
      Tensor x,
      ConvWeight w,
      Conv2dGeometry geometry,
      @Nullable Tensor channelBias,
      @Nullable Tensor residual,
      Tensor out) {
    int batch = x.size(0);
    boolean together =
        channelBias == null
            && x.isDense()
            && out.isDense()
            && (residual == null || residual.isDense());
    if (winograd != null && winograd.serves(x, w, geometry, residual, out)) {
      winograd.conv2d(x, w, geometry, channelBias, residual, out);
      return;
    }
    if (together || batch == 1) {
      run(x, w, geometry, bias(w, channelBias, 0), residual, out);
      return;
    }
    for (int b = 0; b < batch; b++) {
      run(
          x.slice(0, b, b + 1),
          w,
          geometry,
          bias(w, channelBias, b),
          residual == null ? null : residual.slice(0, b, b + 1),
          out.slice(0, b, b + 1));
    }
  }

  /** Address of the layer's bias, with one batch entry's own added. */
  private long bias(ConvWeight w, @Nullable Tensor channelBias, int entry) {
    if (channelBias == null) {
      return w.biasAddress();
    }
    int out = channelBias.size(1);
    SlabAllocator.Block sum = context.scratch(DnnContext.Scratch.BIAS, (long) out * Float.BYTES);
    HostView own = HostView.of(channelBias);
    HostView target = HostView.of(sum, DType.F32);
    context
        .workers()
        .run(
            1,
            (i, scratch) -> {
              for (int c = 0; c < out; c += HostScratch.BLOCK) {
                int n = Math.min(HostScratch.BLOCK, out - c);
                own.read(entry * channelBias.stride(0) + c, scratch.a, 0, n, scratch);
                w.readBias(c, scratch.b, n);
                for (int j = 0; j < n; j++) {
                  scratch.a[j] += scratch.b[j];
                }
                target.write(c, scratch.a, 0, n, scratch);
              }
            });
    return sum.address();
  }

  private void run(
      Tensor x,
      ConvWeight w,
      Conv2dGeometry geometry,
      long bias,
      @Nullable Tensor residual,
      Tensor out) {
    Residual kind = Residual.NONE;
    if (residual != null) {
      kind = residual.address() == out.address() ? Residual.SUM : Residual.ADD;
    }
    Key key =
        new Key(
            x.size(0),
            x.size(1),
            x.size(2),
            w.shape(),
            geometry,
            x.dtype(),
            w.dtype(),
            w.packing().layout(),
            kind);
    DnnPrimitive p = context.primitive(key, () -> create(key, w));
    WeightLayout other = layouts.get(key);
    ConvWeight.Packing packing =
        other == null ? w.packing() : w.packing(other.layout(), other.md());
    if (kind == Residual.ADD && residual != null) {
      context.run(p, x.address(), packing.address(), bias, out.address(), residual.address());
    } else {
      context.run(p, x.address(), packing.address(), bias, out.address());
    }
  }

  /** Prefers the layout that the weight has; then any that is fast. */
  private DnnPrimitive create(Key k, ConvWeight w) {
    DnnPrimitive own = create(k, w.packing().md());
    if (own.isFast()) {
      return own;
    }
    Md md;
    try {
      md = choose(k.batch, k.height, k.width, k.weight, k.geometry, k.dtype, k.weightType, false);
    } catch (DnnPrimitive.NotFastException e) {
      return own;
    }
    own.close();
    layouts.put(k, WeightLayout.of(md, k.weight.rank()));
    return create(k, md);
  }

  /** Frees the descriptions of further layouts. */
  void close() {
    layouts.values().forEach(l -> l.md().close());
    layouts.clear();
  }

  private static DnnPrimitive create(Key k, Md weights) {
    try (Attr attr = new Attr();
        Md operand = Md.nhwc(k.dtype, k.batch, k.outHeight(), k.outWidth(), k.weight.dim(0))) {
      int[] arguments = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST};
      if (k.residual == Residual.SUM) {
        attr.sum();
      } else if (k.residual == Residual.ADD) {
        arguments = java.util.Arrays.copyOf(arguments, 5);
        arguments[4] = attr.binary(dnnl_binary_add, operand);
      }
      return new DnnPrimitive(
          "convolution " + k,
          attr,
          (pd, a) ->
              create(pd, a, k.batch, k.height, k.width, k.weight, k.geometry, k.dtype, weights),
          arguments);
    }
  }

  private static int create(
      dnnl_primitive_desc pd,
      org.bytedeco.dnnl.dnnl_primitive_attr attr,
      long batch,
      long height,
      long width,
      Shape weight,
      Conv2dGeometry g,
      DType dtype,
      Md weights) {
    long oh = g.outHeight((int) height, weight.size(2));
    long ow = g.outWidth((int) width, weight.size(3));
    try (Md src = Md.nhwc(dtype, batch, height, width, weight.dim(1));
        Md bias = Md.dense(DType.F32, weight.dim(0));
        Md dst = Md.nhwc(dtype, batch, oh, ow, weight.dim(0))) {
      // the right and lower padding that the output size implies; less than given where a stride
      // leaves rows or columns over
      long bottom = (oh - 1) * g.stride() + weight.dim(2) - height - g.top();
      long right = (ow - 1) * g.stride() + weight.dim(3) - width - g.left();
      return dnnl_convolution_forward_primitive_desc_create(
          pd,
          OneDnn.engine(),
          dnnl_forward_inference,
          dnnl_convolution_direct,
          src.handle(),
          weights.handle(),
          bias.handle(),
          dst.handle(),
          new long[] {g.stride(), g.stride()},
          new long[] {0, 0},
          new long[] {g.top(), g.left()},
          new long[] {bottom, right},
          attr);
    }
  }
}
