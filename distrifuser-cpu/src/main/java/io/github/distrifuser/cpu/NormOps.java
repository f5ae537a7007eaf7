package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_MEAN;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SCALE;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SHIFT;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_VARIANCE;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_forward_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_forward_inference;
import static org.bytedeco.dnnl.global.dnnl.dnnl_group_normalization_forward_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_layer_normalization_forward_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_use_global_stats;
import static org.bytedeco.dnnl.global.dnnl.dnnl_use_scale;
import static org.bytedeco.dnnl.global.dnnl.dnnl_use_shift;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.jspecify.annotations.Nullable;

/** Normalisations and stand-alone activations. */
final class NormOps {
  private static final int AFFINE = dnnl_use_scale | dnnl_use_shift;

  private final DnnContext context;

  NormOps(DnnContext context) {
    this.context = context;
  }

  private record GroupKey(
      long batch,
      long pixels,
      long channels,
      int groups,
      float eps,
      Activation activation,
      boolean moments,
      DType dtype) {}

  private record LayerKey(long rows, long channels, float eps, DType dtype) {}

  private record EltwiseKey(long elements, Activation activation, DType dtype) {}

  /**
   * Group normalisation with its own or, where given, with other moments.
   *
   * @param x {@code [b, .., c]}, dense within a batch entry
   * @param moments F32 {@code [b, groups, 2]} or null
   */
  void groupNorm(
      Tensor x,
      @Nullable Tensor moments,
      NormWeight affine,
      int groups,
      float eps,
      Activation activation,
      Tensor out) {
    int batch = x.size(0);
    if (batch > 1 && !(x.isDense() && out.isDense())) {
      for (int b = 0; b < batch; b++) {
        groupNorm(
            x.slice(0, b, b + 1),
            moments == null ? null : moments.slice(0, b, b + 1),
            affine,
            groups,
            eps,
            activation,
            out.slice(0, b, b + 1));
      }
      return;
    }
    long channels = x.shape().dim(-1);
    long pixels = x.shape().elements() / batch / channels;
    GroupKey key =
        new GroupKey(batch, pixels, channels, groups, eps, activation, moments != null, x.dtype());
    DnnPrimitive p = context.primitive(key, () -> group(key));
    if (moments == null) {
      context.run(p, x.address(), affine.scaleAddress(), affine.shiftAddress(), out.address());
      return;
    }
    long count = (long) batch * groups;
    SlabAllocator.Block split =
        context.scratch(DnnContext.Scratch.MOMENTS, 2 * count * Float.BYTES);
    GroupMoments.split(moments, split);
    context.run(
        p,
        x.address(),
        affine.scaleAddress(),
        affine.shiftAddress(),
        out.address(),
        split.address(),
        split.address() + count * Float.BYTES);
  }

  private static DnnPrimitive group(GroupKey k) {
    int[] arguments = {DNNL_ARG_SRC, DNNL_ARG_SCALE, DNNL_ARG_SHIFT, DNNL_ARG_DST};
    int flags = AFFINE;
    if (k.moments) {
      arguments = java.util.Arrays.copyOf(arguments, 6);
      arguments[4] = DNNL_ARG_MEAN;
      arguments[5] = DNNL_ARG_VARIANCE;
      flags |= dnnl_use_global_stats;
    }
    int allFlags = flags;
    try (Attr attr = new Attr().activation(k.activation);
        Md md = Md.nhwc(k.dtype, k.batch, 1, k.pixels, k.channels)) {
      return new DnnPrimitive(
          "group norm " + k,
          attr,
          (pd, a) ->
              dnnl_group_normalization_forward_primitive_desc_create(
                  pd,
                  OneDnn.engine(),
                  dnnl_forward_inference,
                  md.handle(),
                  md.handle(),
                  k.groups,
                  k.eps,
                  allFlags,
                  a),
          arguments);
    }
  }

  /** Normalises rows of the last dimension. */
  void layerNorm(Tensor x, NormWeight affine, float eps, Tensor out) {
    int batch = x.size(0);
    if (batch > 1 && !(x.isDense() && out.isDense())) {
      for (int b = 0; b < batch; b++) {
        layerNorm(x.slice(0, b, b + 1), affine, eps, out.slice(0, b, b + 1));
      }
      return;
    }
    long channels = x.shape().dim(-1);
    LayerKey key = new LayerKey(x.shape().elements() / channels, channels, eps, x.dtype());
    DnnPrimitive p = context.primitive(key, () -> layer(key));
    context.run(p, x.address(), affine.scaleAddress(), affine.shiftAddress(), out.address());
  }

  private static DnnPrimitive layer(LayerKey k) {
    dnnl_memory_desc noStats = new dnnl_memory_desc();
    try (Attr attr = new Attr();
        Md md = Md.dense(k.dtype, k.rows, k.channels)) {
      return new DnnPrimitive(
          "layer norm " + k,
          attr,
          (pd, a) ->
              dnnl_layer_normalization_forward_primitive_desc_create(
                  pd,
                  OneDnn.engine(),
                  dnnl_forward_inference,
                  md.handle(),
                  md.handle(),
                  noStats,
                  k.eps,
                  AFFINE,
                  a),
          DNNL_ARG_SRC,
          DNNL_ARG_SCALE,
          DNNL_ARG_SHIFT,
          DNNL_ARG_DST);
    }
  }

  /** An activation by itself, over a dense tensor or each dense batch entry. */
  void activation(Tensor x, Activation activation, Tensor out) {
    if (!(x.isDense() && out.isDense())) {
      for (int b = 0; b < x.size(0); b++) {
        activation(x.slice(0, b, b + 1), activation, out.slice(0, b, b + 1));
      }
      return;
    }
    EltwiseKey key = new EltwiseKey(x.shape().elements(), activation, x.dtype());
    DnnPrimitive p = context.primitive(key, () -> eltwise(key));
    context.run(p, x.address(), out.address());
  }

  private static DnnPrimitive eltwise(EltwiseKey k) {
    try (Attr attr = new Attr();
        Md md = Md.dense(k.dtype, k.elements)) {
      return new DnnPrimitive(
          "activation " + k,
          attr,
          (pd, a) ->
              dnnl_eltwise_forward_primitive_desc_create(
                  pd,
                  OneDnn.engine(),
                  dnnl_forward_inference,
                  Attr.algorithm(k.activation),
                  md.handle(),
                  md.handle(),
                  Attr.alpha(k.activation),
                  0,
                  a),
          DNNL_ARG_SRC,
          DNNL_ARG_DST);
    }
  }
}
