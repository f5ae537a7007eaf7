package io.github.distrifuser.metrics;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * What classification networks need beyond the layers of diffusion models: convolutions followed by
 * ReLU, and pooling. Weights run on the backend; pooling, which is a small share of the work, runs
 * on the host.
 */
final class ConvNet implements AutoCloseable {
  private final Backend backend;
  private final Map<String, PreparedWeight> prepared = new HashMap<>();

  ConvNet(Backend backend) {
    this.backend = backend;
  }

  Backend backend() {
    return backend;
  }

  /**
   * A convolution's weights.
   *
   * @param weight {@code [out, in, kh, kw]}
   * @param bias {@code [out]}
   */
  record Weights(WeightTensor weight, WeightTensor bias) {}

  /**
   * {@code relu(conv(x) + bias)}.
   *
   * @param x {@code [b, h, w, in]}; closed
   * @param weights called once for each name
   * @return {@code [b, oh, ow, out]}
   */
  Tensor conv(Tensor x, String name, Supplier<Weights> weights, Conv2dGeometry geometry) {
    PreparedWeight w = prepared.computeIfAbsent(name, n -> prepare(n, weights.get()));
    int out = w.shape().size(0);
    int b = x.size(0);
    try (x) {
      if (w.shape().rank() == 2) {
        Tensor y = backend.allocate(b, x.size(1), x.size(2), out);
        backend.linear(x, w, Activation.RELU, null, y);
        return y;
      }
      int oh = geometry.outHeight(x.size(1), w.shape().size(2));
      int ow = geometry.outWidth(x.size(2), w.shape().size(3));
      Tensor y = backend.allocate(b, oh, ow, out);
      backend.conv2d(x, w, geometry, null, null, y);
      backend.activation(y, Activation.RELU, y);
      return y;
    }
  }

  private PreparedWeight prepare(String name, Weights w) {
    boolean pointwise = w.weight().shape().dim(2) == 1 && w.weight().shape().dim(3) == 1;
    return pointwise
        ? backend.prepareLinear(name, List.of(w.weight()), List.of(w.bias()))
        : backend.prepareConv2d(name, w.weight(), w.bias());
  }

  /** Another tensor with the same content. */
  Tensor copy(Tensor x) {
    Tensor y = backend.allocate(x.dtype(), x.shape());
    backend.copy(x, y);
    return y;
  }

  /** Joins along the channels; the parts are closed. */
  Tensor concat(Tensor... parts) {
    int channels = 0;
    for (Tensor p : parts) {
      channels += p.size(3);
    }
    Tensor out = backend.allocate(parts[0].size(0), parts[0].size(1), parts[0].size(2), channels);
    backend.concatChannels(List.of(parts), out);
    for (Tensor p : parts) {
      p.close();
    }
    return out;
  }

  /** torch's MaxPool2d; x is closed. */
  Tensor maxPool(Tensor x, int kernel, int stride, int padding) {
    return pool(x, kernel, stride, padding, true);
  }

  /** torch's AvgPool2d with {@code count_include_pad=False}; x is closed. */
  Tensor averagePool(Tensor x, int kernel, int stride, int padding) {
    return pool(x, kernel, stride, padding, false);
  }

  private Tensor pool(Tensor x, int kernel, int stride, int padding, boolean max) {
    int b = x.size(0);
    int h = x.size(1);
    int w = x.size(2);
    int c = x.size(3);
    int oh = (h + 2 * padding - kernel) / stride + 1;
    int ow = (w + 2 * padding - kernel) / stride + 1;
    float[] in = backend.toFloats(x);
    x.close();
    float[] out = new float[b * oh * ow * c];
    for (int n = 0; n < b; n++) {
      for (int y = 0; y < oh; y++) {
        int top = Math.max(0, y * stride - padding);
        int bottom = Math.min(h, y * stride - padding + kernel);
        for (int z = 0; z < ow; z++) {
          int left = Math.max(0, z * stride - padding);
          int right = Math.min(w, z * stride - padding + kernel);
          int to = ((n * oh + y) * ow + z) * c;
          window(in, (n * h) * w * c, w * c, c, top, bottom, left, right, out, to, max);
        }
      }
    }
    Tensor y = backend.allocate(b, oh, ow, c);
    backend.write(out, 0, y);
    return y;
  }

  private static void window(
      float[] in,
      int image,
      int row,
      int c,
      int top,
      int bottom,
      int left,
      int right,
      float[] out,
      int to,
      boolean max) {
    if (max) {
      Arrays.fill(out, to, to + c, Float.NEGATIVE_INFINITY);
    }
    for (int i = top; i < bottom; i++) {
      for (int j = left; j < right; j++) {
        int from = image + i * row + j * c;
        for (int k = 0; k < c; k++) {
          float v = in[from + k];
          out[to + k] = max ? Math.max(out[to + k], v) : out[to + k] + v;
        }
      }
    }
    if (!max) {
      float share = 1f / ((bottom - top) * (right - left));
      for (int k = 0; k < c; k++) {
        out[to + k] *= share;
      }
    }
  }

  @Override
  public void close() {
    prepared.values().forEach(PreparedWeight::close);
    prepared.clear();
  }
}
