package io.github.distrifuser.nn;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.tensor.Tensor;

/** diffusers' Upsample2D: nearest neighbour to a given size, then a 3 x 3 convolution. */
public final class Upsample2D {
  private final Backend backend;
  private final Conv2d conv;

  public Upsample2D(Layers layers, String name, int channels) {
    this.backend = layers.backend();
    this.conv = layers.conv2d(name + ".conv", channels, channels, 3);
  }

  /**
   * Enlarges and convolves.
   *
   * @param x {@code [b, h, w, c]}
   * @param height {@code 2h} or {@code 2h - 1}: rows of the feature map that it is joined with
   * @param width {@code 2w} or {@code 2w - 1}
   */
  public Tensor forward(Tensor x, long height, long width) {
    try (Tensor big = conv.input(x.shape().dim(0), height, width, x.size(3))) {
      backend.upsampleNearest2x(x, big);
      return conv.forward(big);
    }
  }

  /** To exactly twice the size. */
  public Tensor forward(Tensor x) {
    return forward(x, 2 * x.shape().dim(1), 2 * x.shape().dim(2));
  }
}
