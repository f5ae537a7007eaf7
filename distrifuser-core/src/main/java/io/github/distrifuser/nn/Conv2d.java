package io.github.distrifuser.nn;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** torch.nn.Conv2d over {@code [b, h, w, in]}; a 1 x 1 kernel runs as a matrix product. */
public class Conv2d {
  private final Backend backend;
  private final PreparedWeight weight; // [out, in, k, k], or [out, in] for a 1 x 1 kernel
  private final Conv2dGeometry geometry;
  private final int out;
  private final int kernel;

  public Conv2d(Backend backend, PreparedWeight weight, Conv2dGeometry geometry) {
    this.backend = backend;
    this.weight = weight;
    this.geometry = geometry;
    this.out = weight.shape().size(0);
    this.kernel = weight.shape().rank() == 4 ? weight.shape().size(2) : 1;
    if (kernel == 1 && !geometry.equals(Conv2dGeometry.of(1, 0))) {
      throw new IllegalArgumentException(
          weight.name() + ": a 1 x 1 convolution with stride or padding is not supported");
    }
  }

  protected final Backend backend() {
    return backend;
  }

  protected final PreparedWeight weight() {
    return weight;
  }

  protected final Conv2dGeometry geometry() {
    return geometry;
  }

  protected final int kernel() {
    return kernel;
  }

  /** Number of output channels. */
  public final int outChannels() {
    return out;
  }

  /**
   * A tensor {@code [b, h, w, in]} for the layer before to write this convolution's input into:
   * handing it to {@link #forward} spares a copy where the convolution needs margins. The caller
   * closes it.
   */
  public Tensor input(long b, long h, long w, long in) {
    return backend.allocate(b, h, w, in);
  }

  /**
   * {@code conv(x) + bias + channelBias + residual}.
   *
   * @param x {@code [b, h, w, in]}
   * @param channelBias {@code [b, out]} or null
   * @param residual {@code [b, oh, ow, out]} or null
   * @return {@code [b, oh, ow, out]}
   */
  public Tensor forward(Tensor x, @Nullable Tensor channelBias, @Nullable Tensor residual) {
    return convolve(x, geometry, channelBias, residual);
  }

  /** {@link #forward} without bias of channels or residual. */
  public final Tensor forward(Tensor x) {
    return forward(x, null, null);
  }

  /** The convolution itself, under a geometry that may differ from the layer's. */
  protected final Tensor convolve(
      Tensor x, Conv2dGeometry g, @Nullable Tensor channelBias, @Nullable Tensor residual) {
    Tensor y =
        backend.allocate(
            x.shape().dim(0), g.outHeight(x.size(1), kernel), g.outWidth(x.size(2), kernel), out);
    if (kernel > 1) {
      backend.conv2d(x, weight, g, channelBias, residual, y);
    } else if (channelBias == null) {
      backend.linear(x, weight, Activation.NONE, residual, y);
    } else {
      throw new IllegalArgumentException(weight.name() + ": 1 x 1 with a channel bias");
    }
    return y;
  }
}
