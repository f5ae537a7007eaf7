package io.github.distrifuser.nn;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * diffusers' Attention to the prompt. Keys and values depend on the prompt alone, so they are made
 * once and kept with it.
 */
public final class CrossAttention implements AttentionLayer {
  private final Backend backend;
  private final PreparedWeight toQ; // [width, c]
  private final PreparedWeight kv; // [2 width, context]
  private final ResidualProjection toOut; // [c, width]
  private final int width; // heads * size of a head
  private final int heads;
  private final float scale;

  public CrossAttention(Layers layers, String name, int channels, int contextWidth, int heads) {
    this(
        layers.backend(),
        layers.weights().linear(layers.backend(), name + ".to_q", channels, channels, false),
        layers
            .weights()
            .stacked(
                layers.backend(), name, List.of("to_k", "to_v"), contextWidth, channels, false),
        layers.linear(name + ".to_out.0", channels, channels, true),
        heads);
  }

  /**
   * Attention of these heads.
   *
   * @param toQ {@code [width, c]}: the heads' queries
   * @param kv {@code [2 width, context]}: the heads' keys and values
   * @param toOut from the heads' width to the channels
   */
  public CrossAttention(
      Backend backend, PreparedWeight toQ, PreparedWeight kv, ResidualProjection toOut, int heads) {
    this.backend = backend;
    this.toQ = toQ;
    this.kv = kv;
    this.toOut = toOut;
    this.width = toQ.shape().size(0);
    this.heads = heads;
    this.scale = (float) (1 / Math.sqrt((double) width / heads));
  }

  @Override
  public void forward(Tensor x, @Nullable TextContext context, Tensor residual) {
    Tensor keys = keysAndValues(Objects.requireNonNull(context, "cross-attention needs a context"));
    Shape s = x.shape().with(-1, width);
    try (Tensor q = backend.allocate(x.dtype(), s);
        Tensor a = backend.allocate(x.dtype(), s)) {
      backend.linear(x, toQ, Activation.NONE, null, q);
      backend.attention(
          q, keys.slice(2, 0, width), keys.slice(2, width, 2L * width), heads, scale, false, a);
      toOut.addTo(a, residual);
    }
  }

  /** Of the prompt, {@code [b, tokens, 2 width]}. */
  private Tensor keysAndValues(TextContext context) {
    Tensor s = context.states();
    Shape both = Shape.of(s.shape().dim(0), s.shape().dim(1), 2L * width);
    return context.derived(
        this, backend, both, c -> backend.linear(s, kv, Activation.NONE, null, c));
  }
}
