package io.github.distrifuser.cpu;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SCALE;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SHIFT;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC_0;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC_1;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_add;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_mul;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_binary_sub;
import static org.bytedeco.dnnl.global.dnnl.dnnl_eltwise_forward_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_forward_inference;
import static org.bytedeco.dnnl.global.dnnl.dnnl_layer_normalization_forward_primitive_desc_create;
import static org.bytedeco.dnnl.global.dnnl.dnnl_use_scale;
import static org.bytedeco.dnnl.global.dnnl.dnnl_use_shift;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import org.bytedeco.dnnl.dnnl_memory_desc;

/** Normalisations and stand-alone activations. */
final class NormOps {
  private static final int AFFINE = dnnl_use_scale | dnnl_use_shift;

  private final DnnContext context;

  NormOps(DnnContext context) {
    this.context = context;
  }

  private record ChannelsKey(long pixels, long channels, Activation activation, DType dtype) {}

  private record LayerKey(long rows, long channels, float eps, DType dtype) {}

  private record EltwiseKey(long elements, Activation activation, DType dtype) {}

  /**
   * Group normalisation with given moments: each channel less its group's mean, times a factor,
   * plus the shift: one pass at the speed of memory, where oneDNN's own normalisation takes groups
   * one by one, which is slow for groups of few channels.
   *
   * @param x {@code [b, .., c]}, dense within a batch entry
   * @param moments F32 {@code [b, groups, 2]}
   */
  void groupNorm(
      Tensor x,
      Tensor moments,
      NormWeight affine,
      int groups,
      float eps,
      Activation activation,
      Tensor out) {
    int batch = x.size(0);
    int channels = x.size(-1);
    ChannelsKey key =
        new ChannelsKey(x.shape().elements() / batch / channels, channels, activation, x.dtype());
    DnnPrimitive p = context.primitive(key, () -> channels(key));
    float[] means = new float[batch * channels];
    float[] factors = new float[batch * channels];
    factors(moments, affine, groups, eps, means, factors);
    long bytes = (long) batch * channels * Float.BYTES;
    SlabAllocator.Block own = context.scratch(DnnContext.Scratch.MOMENTS, 2 * bytes);
    HostView target = HostView.of(own, DType.F32);
    target.writeFloats(0, means, means.length);
    target.writeFloats(means.length, factors, factors.length);
    for (int b = 0; b < batch; b++) {
      long mean = own.address() + (long) b * channels * Float.BYTES;
      context.run(p, entry(x, b), mean, entry(out, b), mean + bytes, affine.shiftAddress());
    }
  }

  private static long entry(Tensor t, int b) {
    return t.address() + b * t.stride(0) * t.dtype().bytes();
  }

  /**
   * For each batch entry's channels their group's mean, and what their distance is multiplied by.
   */
  private static void factors(
      Tensor moments, NormWeight affine, int groups, float eps, float[] means, float[] factors) {
    int batch = moments.size(0);
    int channels = means.length / batch;
    int width = channels / groups;
    float[] m = new float[2 * groups];
    float[] scale = new float[channels];
    affine.readScale(scale);
    HostScratch scratch = new HostScratch(m.length);
    HostView in = HostView.of(moments);
    for (int b = 0; b < batch; b++) {
      in.read((long) b * moments.stride(0), m, 0, m.length, scratch);
      for (int c = 0; c < channels; c++) {
        int g = c / width;
        means[b * channels + c] = m[2 * g];
        factors[b * channels + c] = (float) (scale[c] / Math.sqrt((double) m[2 * g + 1] + eps));
      }
    }
  }

  private static DnnPrimitive channels(ChannelsKey k) {
    try (Attr attr = new Attr();
        Md md = Md.nhwc(k.dtype, 1, 1, k.pixels, k.channels);
        Md channel = Md.nhwc(DType.F32, 1, 1, 1, k.channels)) {
      int factor = attr.binary(dnnl_binary_mul, channel);
      int shift = attr.binary(dnnl_binary_add, channel);
      attr.activation(k.activation);
      return new DnnPrimitive(
          "normalisation of channels " + k,
          attr,
          (pd, a) ->
              dnnl_binary_primitive_desc_create(
                  pd,
                  OneDnn.engine(),
                  dnnl_binary_sub,
                  md.handle(),
                  channel.handle(),
                  md.handle(),
                  a),
          DNNL_ARG_SRC_0,
          DNNL_ARG_SRC_1,
          DNNL_ARG_DST,
          factor,
          shift);
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
