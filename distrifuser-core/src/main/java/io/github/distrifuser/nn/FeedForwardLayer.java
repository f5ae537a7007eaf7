package io.github.distrifuser.nn;

import io.github.distrifuser.tensor.Tensor;

/** The feed-forward layer of a transformer block. */
public interface FeedForwardLayer {

  /** {@code residual += feedForward(x)}, in place; both {@code [b, l, c]}. */
  void forward(Tensor x, Tensor residual);
}
