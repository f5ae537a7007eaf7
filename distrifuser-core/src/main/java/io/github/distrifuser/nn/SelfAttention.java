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
  private final PreparedWeight qkv; // [3 width, c]
  private final ResidualProjection toOut; // [c, width]
  private final int width; // heads * size of a head
  private final int heads;
  private final float scale;

  public SelfAttention(Layers layers, String name, int channels, int heads, boolean bias) {
    this(
        layers.backend(),
        layers
            .weights()
            .stacked(
                layers.backend(), name, List.of("to_q", "to_k", "to_v"), channels, channels, bias),
        layers.linear(name + ".to_out.0", channels, channels, true),
        heads);
  }

  /**
   * Attention of these heads.
   *
   * @param qkv {@code [3 width, c]}: the heads' queries, keys, values
   * @param toOut from the heads' width to the channels
   */
  public SelfAttention(Backend backend, PreparedWeight qkv, ResidualProjection toOut, int heads) {
    this.backend = backend;
    this.qkv = qkv;
    this.toOut = toOut;
    this.width = qkv.shape().size(0) / 3;
    this.heads = heads;
    this.scale = (float) (1 / Math.sqrt((double) width / heads));
  }

  protected final Backend backend() {
    return backend;
  }

  protected final PreparedWeight qkv() {
    return qkv;
  }

  protected final ResidualProjection toOut() {
    return toOut;
  }

  /** Channels of the queries: the number of heads times the size of one. */
  protected final int width() {
    return width;
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
    try (Tensor a = backend.allocate(b, l, width)) {
      try (Tensor all = backend.allocate(b, l, 3L * width)) {
        backend.linear(x, qkv, Activation.NONE, null, all);
        backend.attention(
            all.slice(2, 0, width),
            all.slice(2, width, 2L * width),
            all.slice(2, 2L * width, 3L * width),
            heads,
            scale,
            false,
            a);
      }
      toOut.addTo(a, residual);
    }
  }
}
