package io.github.distrifuser.nn;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** diffusers' Attention where the tokens attend to each other; q, k and v in one product. */
public class SelfAttention implements AttentionLayer {
  private final Backend backend;
  private final PreparedWeight qkv; // [3c, c]
  private final Linear toOut; // [c, c]
  private final int channels;
  private final int heads;
  private final float scale;

  public SelfAttention(Layers layers, String name, int channels, int heads, boolean bias) {
    this.backend = layers.backend();
    this.channels = channels;
    this.heads = heads;
    WeightStore w = layers.weights();
    this.qkv = w.stacked(backend, name, List.of("to_q", "to_k", "to_v"), channels, channels, bias);
    this.toOut =
        new Linear(backend, w.linear(backend, name + ".to_out.0", channels, channels, true));
    this.scale = (float) (1 / Math.sqrt((double) channels / heads));
  }

  protected final Backend backend() {
    return backend;
  }

  protected final PreparedWeight qkv() {
    return qkv;
  }

  protected final Linear toOut() {
    return toOut;
  }

  protected final int channels() {
    return channels;
  }

  protected final int heads() {
    return heads;
  }

  protected final float scale() {
    return scale;
  }

  @Override
  public void forward(Tensor x, @Nullable TextContext context, Tensor residual) {
    long b = x.shape().dim(0);
    long l = x.shape().dim(1);
    try (Tensor a = backend.allocate(b, l, channels)) {
      try (Tensor all = backend.allocate(b, l, 3L * channels)) {
        backend.linear(x, qkv, Activation.NONE, null, all);
        backend.attention(
            all.slice(2, 0, channels),
            all.slice(2, channels, 2L * channels),
            all.slice(2, 2L * channels, 3L * channels),
            heads,
            scale,
            false,
            a);
      }
      toOut.addTo(a, residual);
    }
  }
}
