package io.github.distrifuser.nn;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * diffusers' Transformer2DModel over a feature map. The projections are linear layers or 1 x 1
 * convolutions in the file and the same matrix products here.
 */
public final class Transformer2DModel {
  private static final float EPS = 1e-6f;

  private final Backend backend;
  private final GroupNorm norm;
  private final Conv2d projIn; // [c, c]
  private final List<BasicTransformerBlock> blocks = new ArrayList<>();
  private final Conv2d projOut; // [c, c]

  public Transformer2DModel(
      Layers layers,
      String name,
      int channels,
      int contextWidth,
      int heads,
      int depth,
      int groups) {
    this.backend = layers.backend();
    this.norm = layers.groupNorm(name + ".norm", groups, channels, EPS);
    this.projIn = layers.conv2d(name + ".proj_in", channels, channels, 1);
    for (int i = 0; i < depth; i++) {
      blocks.add(
          new BasicTransformerBlock(
              layers, name + ".transformer_blocks." + i, channels, contextWidth, heads));
    }
    this.projOut = layers.conv2d(name + ".proj_out", channels, channels, 1);
  }

  /** {@code [b, h, w, c]} to {@code [b, h, w, c]}. */
  public Tensor forward(Tensor x, TextContext context) {
    try (Tensor h = projected(x)) {
      Tensor tokens = h.reshape(x.shape().dim(0), x.shape().dim(1) * x.shape().dim(2), x.size(3));
      for (BasicTransformerBlock block : blocks) {
        block.forward(tokens, context);
      }
      return projOut.forward(h, null, x);
    }
  }

  private Tensor projected(Tensor x) {
    try (Tensor n = backend.allocate(x.dtype(), x.shape())) {
      norm.forward(x, Activation.NONE, n);
      return projIn.forward(n);
    }
  }
}
