package io.github.distrifuser.cpu;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.util.List;
import java.util.function.Function;

/**
 * Operators at the shapes that Stable Diffusion 1.5 at 512 px and SDXL at 512 px call them with,
 * both halves of the batch. The first two are what the machine can do.
 */
public enum OperatorCase {
  PEAK_MATRIX_PRODUCT("matrix product 2048 x 2048 x 2048", 2.0 * 2048 * 2048 * 2048, 0, b -> linear(b, 1, 2048, 2048, 2048)),
  PEAK_COPY("copy of 64 MiB", 0, 2.0 * (64 << 20), OperatorCase::copy),
  CONV_320("convolution 3 x 3, 320 channels, 64 x 64", conv(64, 320, 320), 0, b -> conv2d(b, 64, 320, 320)),
  CONV_960_320("convolution 3 x 3, 960 to 320 channels, 64 x 64", conv(64, 960, 320), 0, b -> conv2d(b, 64, 960, 320)),
  CONV_640("convolution 3 x 3, 640 channels, 32 x 32", conv(32, 640, 640), 0, b -> conv2d(b, 32, 640, 640)),
  CONV_1280("convolution 3 x 3, 1280 channels, 16 x 16", conv(16, 1280, 1280), 0, b -> conv2d(b, 16, 1280, 1280)),
  CONV_1920_640("convolution 3 x 3, 1920 to 640 channels, 32 x 32", conv(32, 1920, 640), 0, b -> conv2d(b, 32, 1920, 640)),
  CONV_VAE_128("convolution 3 x 3, 128 channels, 256 x 256", conv(256, 128, 128), 0, b -> conv2d(b, 256, 128, 128)),
  CONV_VAE_512("convolution 3 x 3, 512 channels, 128 x 128", conv(128, 512, 512), 0, b -> conv2d(b, 128, 512, 512)),
  LINEAR_320("linear 320 to 320, 8192 rows", 2.0 * 8192 * 320 * 320, 0, b -> linear(b, 2, 4096, 320, 320)),
  LINEAR_640("linear 640 to 640, 2048 rows", 2.0 * 2048 * 640 * 640, 0, b -> linear(b, 2, 1024, 640, 640)),
  LINEAR_1280("linear 1280 to 1280, 512 rows", 2.0 * 512 * 1280 * 1280, 0, b -> linear(b, 2, 256, 1280, 1280)),
  GEGLU_320("GEGLU 320 to 1280, 8192 rows", 4.0 * 8192 * 320 * 1280, 0, b -> geglu(b, 4096, 320, 1280)),
  GEGLU_1280("GEGLU 1280 to 5120, 512 rows", 4.0 * 512 * 1280 * 5120, 0, b -> geglu(b, 256, 1280, 5120)),
  SELF_ATTENTION_4096("self-attention, 4096 tokens, 8 heads of 40", 8.0 * 8 * 40 * 4096 * 4096, 0, b -> attention(b, 4096, 4096, 8, 40)),
  SELF_ATTENTION_1024("self-attention, 1024 tokens, 8 heads of 80", 8.0 * 8 * 80 * 1024 * 1024, 0, b -> attention(b, 1024, 1024, 8, 80)),
  SELF_ATTENTION_SDXL("self-attention, 1024 tokens, 10 heads of 64", 8.0 * 10 * 64 * 1024 * 1024, 0, b -> attention(b, 1024, 1024, 10, 64)),
  CROSS_ATTENTION_4096("attention of 4096 tokens to 77, 8 heads of 40", 8.0 * 8 * 40 * 4096 * 77, 0, b -> attention(b, 4096, 77, 8, 40)),
  GROUP_NORM_320("GroupNorm and SiLU, 320 channels, 64 x 64", 0, 12.0 * 2 * 64 * 64 * 320, b -> groupNorm(b, 64, 320)),
  GROUP_NORM_1280("GroupNorm and SiLU, 1280 channels, 16 x 16", 0, 12.0 * 2 * 16 * 16 * 1280, b -> groupNorm(b, 16, 1280)),
  LAYER_NORM_320("LayerNorm, 8192 rows of 320", 0, 8.0 * 8192 * 320, b -> layerNorm(b, 4096, 320)),
  UPSAMPLE_640("upsampling by two, 640 channels, 32 x 32", 0, 20.0 * 2 * 32 * 32 * 640, b -> upsample(b, 32, 640));

  /** What is measured, for the table. */
  final String label;

  /** Floating-point operations of a call, a multiplication and an addition counted as two; or 0. */
  final double operations;

  /** Bytes that a call must read and write in float32; or 0 where it is the products that take time. */
  final double bytes;

  private final Function<Backend, Runnable> make;

  OperatorCase(String label, double operations, double bytes, Function<Backend, Runnable> make) {
    this.label = label;
    this.operations = operations;
    this.bytes = bytes;
    this.make = make;
  }

  /** A call with tensors and weights of its own, which the backend frees when it is closed. */
  Runnable on(Backend backend) {
    return make.apply(backend);
  }

  private static double conv(int side, int in, int out) {
    return 2.0 * 2 * side * side * 9 * in * out;
  }

  private static Tensor tensor(Backend b, long... dims) {
    Tensor t = b.allocate(dims);
    b.write(new Fixture().floats((int) t.shape().elements(), 1), 0, t);
    return t;
  }

  private static Runnable copy(Backend b) {
    Tensor from = tensor(b, 1 << 12, 1 << 12);
    Tensor to = b.allocate(1 << 12, 1 << 12);
    return () -> b.copy(from, to);
  }

  private static Runnable linear(Backend b, int batch, int rows, int in, int out) {
    Fixture f = new Fixture();
    PreparedWeight w =
        b.prepareLinear(
            "linear",
            List.of(f.weight(DType.F16, 0.02f, out, in)),
            List.of(f.weight(DType.F16, 1, out)));
    Tensor x = tensor(b, batch, rows, in);
    Tensor y = b.allocate(batch, rows, out);
    return () -> b.linear(x, w, Activation.NONE, null, y);
  }

  private static Runnable geglu(Backend b, int rows, int in, int out) {
    Fixture f = new Fixture();
    PreparedWeight w =
        b.prepareLinear(
            "geglu",
            List.of(f.weight(DType.F16, 0.02f, 2 * out, in)),
            List.of(f.weight(DType.F16, 1, 2 * out)),
            out);
    Tensor x = tensor(b, 2, rows, in);
    Tensor y = b.allocate(2, rows, out);
    return () -> b.geglu(x, w, y);
  }

  private static Runnable conv2d(Backend b, int side, int in, int out) {
    Fixture f = new Fixture();
    PreparedWeight w =
        b.prepareConv2d(
            "conv", f.weight(DType.F16, 0.02f, out, in, 3, 3), f.weight(DType.F16, 1, out));
    Tensor x = tensor(b, 2, side, side, in);
    Tensor y = b.allocate(2, side, side, out);
    return () -> b.conv2d(x, w, Conv2dGeometry.of(1, 1), null, null, y);
  }

  private static Runnable attention(Backend b, int queries, int keys, int heads, int d) {
    Tensor q = tensor(b, 2, queries, (long) heads * d);
    Tensor k = tensor(b, 2, keys, (long) heads * d);
    Tensor v = tensor(b, 2, keys, (long) heads * d);
    Tensor out = b.allocate(2, queries, (long) heads * d);
    float scale = (float) (1 / Math.sqrt(d));
    return () -> b.attention(q, k, v, heads, scale, false, out);
  }

  private static Runnable groupNorm(Backend b, int side, int channels) {
    Fixture f = new Fixture();
    PreparedWeight w =
        b.prepareNorm(
            "norm", f.weight(DType.F16, 1, channels), f.weight(DType.F16, 1, channels));
    Tensor x = tensor(b, 2, side, side, channels);
    Tensor y = b.allocate(2, side, side, channels);
    return () -> b.groupNorm(x, w, 32, 1e-5f, Activation.SILU, y);
  }

  private static Runnable layerNorm(Backend b, int rows, int channels) {
    Fixture f = new Fixture();
    PreparedWeight w =
        b.prepareNorm(
            "norm", f.weight(DType.F16, 1, channels), f.weight(DType.F16, 1, channels));
    Tensor x = tensor(b, 2, rows, channels);
    Tensor y = b.allocate(2, rows, channels);
    return () -> b.layerNorm(x, w, 1e-5f, y);
  }

  private static Runnable upsample(Backend b, int side, int channels) {
    Tensor x = tensor(b, 2, side, side, channels);
    Tensor y = b.allocate(2, 2L * side, 2L * side, channels);
    return () -> b.upsampleNearest2x(x, y);
  }
}
