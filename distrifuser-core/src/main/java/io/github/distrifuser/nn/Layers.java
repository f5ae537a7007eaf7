package io.github.distrifuser.nn;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Conv2dGeometry;

/**
 * Makes the layers that a model is built of. This class makes the plain ones; parallel schemes
 * extend it and replace only what they must. Names are full state-dict keys of the modules.
 */
public class Layers {
  private final Backend backend;
  private final WeightStore weights;

  public Layers(Backend backend, WeightStore weights) {
    this.backend = backend;
    this.weights = weights;
  }

  public final Backend backend() {
    return backend;
  }

  public final WeightStore weights() {
    return weights;
  }

  /**
   * The maker of layers that work on feature maps of another size.
   *
   * @param level how often the map has been halved: 0 for the model's input
   */
  public Layers atLevel(int level) {
    return this;
  }

  /** A convolution with bias. */
  public Conv2d conv2d(String name, int in, int out, int kernel, Conv2dGeometry geometry) {
    return new Conv2d(backend, weights.conv2d(backend, name, in, out, kernel), geometry);
  }

  /** A k x k convolution of stride 1 that keeps the size. */
  public final Conv2d conv2d(String name, int in, int out, int kernel) {
    return conv2d(name, in, out, kernel, Conv2dGeometry.of(1, (kernel - 1) / 2));
  }

  /** The first convolution of a denoiser, whose input every rank holds whole. */
  public Conv2d inputConv2d(String name, int in, int out, int kernel) {
    return conv2d(name, in, out, kernel);
  }

  public Linear linear(String name, int in, int out, boolean bias) {
    return new Linear(backend, weights.linear(backend, name, in, out, bias));
  }

  public GroupNorm groupNorm(String name, int groups, int channels, float eps) {
    return new GroupNorm(backend, weights.norm(backend, name, channels), groups, eps);
  }

  public LayerNorm layerNorm(String name, int channels, float eps) {
    return new LayerNorm(backend, weights.norm(backend, name, channels), eps);
  }

  /** Self-attention without bias on q, k, v, as in the UNet's transformers. */
  public AttentionLayer selfAttention(String name, int channels, int heads) {
    return new SelfAttention(this, name, channels, heads, false);
  }

  /** Attention to the prompt, without bias on q, k, v. */
  public AttentionLayer crossAttention(String name, int channels, int contextWidth, int heads) {
    return new CrossAttention(this, name, channels, contextWidth, heads);
  }

  /** GEGLU feed-forward: channels to 4 x channels and back. */
  public FeedForwardLayer feedForward(String name, int channels) {
    return new FeedForward(this, name, channels);
  }

  /** A residual block; {@code timeWidth} 0 means that it takes no time embedding. */
  public ResnetLayer resnet(
      String name, int in, int out, int timeWidth, int groups, float eps, Activation activation) {
    return new ResnetBlock2D(this, name, in, out, timeWidth, groups, eps, activation);
  }
}
