package io.github.distrifuser.nn;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.Tensor;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * diffusers' Attention to the prompt. Keys and values depend on the prompt alone, so they are made
 * once a context and kept until {@link #releaseCaches}.
 */
public final class CrossAttention implements AttentionLayer {
  private final Backend backend;
  private final PreparedWeight toQ; // [c, c]
  private final PreparedWeight kv; // [2c, context]
  private final Linear toOut; // [c, c]
  private final int channels;
  private final int heads;
  private final float scale;
  private @Nullable Tensor cached; // [b, tokens, 2c]
  private long cachedFor = -1;

  public CrossAttention(Layers layers, String name, int channels, int contextWidth, int heads) {
    this.backend = layers.backend();
    this.channels = channels;
    this.heads = heads;
    WeightStore w = layers.weights();
    this.toQ = w.linear(backend, name + ".to_q", channels, channels, false);
    this.kv = w.stacked(backend, name, List.of("to_k", "to_v"), contextWidth, channels, false);
    this.toOut =
        new Linear(backend, w.linear(backend, name + ".to_out.0", channels, channels, true));
    this.scale = (float) (1 / Math.sqrt((double) channels / heads));
  }

  @Override
  public void forward(Tensor x, @Nullable TextContext context, Tensor residual) {
    Tensor keys = keysAndValues(Objects.requireNonNull(context, "cross-attention needs a context"));
    try (Tensor q = backend.allocate(x.dtype(), x.shape());
        Tensor a = backend.allocate(x.dtype(), x.shape())) {
      backend.linear(x, toQ, Activation.NONE, null, q);
      backend.attention(
          q,
          keys.slice(2, 0, channels),
          keys.slice(2, channels, 2L * channels),
          heads,
          scale,
          false,
          a);
      toOut.addTo(a, residual);
    }
  }

  private Tensor keysAndValues(TextContext context) {
    Tensor c = cached;
    if (c == null || cachedFor != context.id()) {
      releaseCaches();
      Tensor s = context.states();
      c = backend.allocate(s.shape().dim(0), s.shape().dim(1), 2L * channels);
      backend.linear(s, kv, Activation.NONE, null, c);
      cached = c;
      cachedFor = context.id();
    }
    return c;
  }

  @Override
  public void releaseCaches() {
    if (cached != null) {
      cached.close();
      cached = null;
      cachedFor = -1;
    }
  }
}
