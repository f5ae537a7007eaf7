package io.github.distrifuser.nn;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.Tensor;

/** diffusers' FeedForward with GEGLU: {@code net.0.proj} and {@code net.2}. */
public final class FeedForward implements FeedForwardLayer {
  private final Backend backend;
  private final PreparedWeight proj; // [2 inner, c]: value rows, then gate rows
  private final ResidualProjection out; // [c, inner]
  private final int inner;

  public FeedForward(Layers layers, String name, int channels) {
    this(
        layers.backend(),
        layers
            .weights()
            .linear(
                layers.backend(),
                name + ".net.0.proj",
                channels,
                8L * channels,
                true,
                4L * channels),
        layers.linear(name + ".net.2", 4 * channels, channels, true));
  }

  /**
   * A layer of these products.
   *
   * @param proj {@code [2 inner, c]}, split at the half: the values' rows, then the gates'
   * @param out from the inner width to the channels
   */
  public FeedForward(Backend backend, PreparedWeight proj, ResidualProjection out) {
    this.backend = backend;
    this.proj = proj;
    this.out = out;
    this.inner = proj.shape().size(0) / 2;
  }

  @Override
  public void forward(Tensor x, Tensor residual) {
    try (Tensor h = backend.allocate(x.dtype(), x.shape().with(-1, inner))) {
      backend.geglu(x, proj, h);
      out.addTo(h, residual);
    }
  }
}
