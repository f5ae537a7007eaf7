package io.github.distrifuser.models.unet;

import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.ResnetLayer;
import io.github.distrifuser.nn.TextContext;
import io.github.distrifuser.nn.Transformer2DModel;
import io.github.distrifuser.tensor.Tensor;

/** diffusers' UNetMidBlock2DCrossAttn: a resnet, a transformer, a resnet. */
final class MidBlock {
  private final ResnetLayer first;
  private final Transformer2DModel attention;
  private final ResnetLayer second;

  MidBlock(Layers all, UNetConfig c) {
    int last = c.blockOutChannels().size() - 1;
    Layers layers = all.atLevel(last);
    int channels = c.blockOutChannels().get(last);
    this.first = resnet(layers, c, 0, channels);
    this.attention =
        new Transformer2DModel(
            layers,
            "mid_block.attentions.0",
            channels,
            c.crossAttentionDim().get(last),
            c.attentionHeads().get(last),
            c.transformerLayersPerBlock().get(last),
            c.normNumGroups());
    this.second = resnet(layers, c, 1, channels);
  }

  private static ResnetLayer resnet(Layers layers, UNetConfig c, int i, int channels) {
    return layers.resnet(
        "mid_block.resnets." + i,
        channels,
        channels,
        c.timeEmbedWidth(),
        c.normNumGroups(),
        c.normEps(),
        c.activation());
  }

  Tensor forward(Tensor x, Tensor time, TextContext context) {
    Tensor b;
    try (Tensor a = first.forward(x, time)) {
      b = attention.forward(a, context);
    }
    try (b) {
      return second.forward(b, time);
    }
  }
}
