package io.github.distrifuser.nn;

import io.github.distrifuser.tensor.Tensor;

/** diffusers' BasicTransformerBlock: self-attention, attention to the prompt, feed-forward. */
public final class BasicTransformerBlock {
  private static final float EPS = 1e-5f;

  private final LayerNorm norm1;
  private final AttentionLayer attn1;
  private final LayerNorm norm2;
  private final AttentionLayer attn2;
  private final LayerNorm norm3;
  private final FeedForwardLayer ff;

  public BasicTransformerBlock(
      Layers layers, String name, int channels, int contextWidth, int heads) {
    this.norm1 = layers.layerNorm(name + ".norm1", channels, EPS);
    this.attn1 = layers.selfAttention(name + ".attn1", channels, heads);
    this.norm2 = layers.layerNorm(name + ".norm2", channels, EPS);
    this.attn2 = layers.crossAttention(name + ".attn2", channels, contextWidth, heads);
    this.norm3 = layers.layerNorm(name + ".norm3", channels, EPS);
    this.ff = layers.feedForward(name + ".ff", channels);
  }

  /** Works on {@code h [b, l, c]} in place. */
  public void forward(Tensor h, TextContext context) {
    try (Tensor n = norm1.forward(h)) {
      attn1.forward(n, null, h);
    }
    try (Tensor n = norm2.forward(h)) {
      attn2.forward(n, context, h);
    }
    try (Tensor n = norm3.forward(h)) {
      ff.forward(n, h);
    }
  }
}
