package io.github.distrifuser.nn;

import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** An attention layer of a transformer block: the seam at which parallel schemes come in. */
public interface AttentionLayer {

  /**
   * {@code residual += to_out(attention(x))}, in place.
   *
   * @param x normalised input, {@code [b, l, c]}
   * @param context what cross-attention attends to; null for self-attention
   * @param residual {@code [b, l, c]}
   */
  void forward(Tensor x, @Nullable TextContext context, Tensor residual);
}
