package io.github.distrifuser.nn;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.Tensor;

/** diffusers' FeedForward with GEGLU: {@code net.0.proj} and {@code net.2}. */
public final class FeedForward implements FeedForwardLayer {
  private final Backend backend;
  private final PreparedWeight proj; // [8c, c]: value rows, then gate rows
  private final Linear out; // [c, 4c]
  private final int inner;

  public FeedForward(Layers layers, String name, int channels) {
    this.backend = layers.backend();
    this.inner = 4 * channels;
    WeightStore w = layers.weights();
    this.proj = w.linear(backend, name + ".net.0.proj", channels, 2L * inner, true, inner);
    this.out = new Linear(backend, w.linear(backend, name + ".net.2", inner, channels, true));
  }

  @Override
  public void forward(Tensor x, Tensor residual) {
    try (Tensor h = backend.allocate(x.dtype(), x.shape().with(-1, inner))) {
      backend.geglu(x, proj, h);
      out.addTo(h, residual);
    }
  }
}
