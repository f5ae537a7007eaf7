package io.github.distrifuser.models.unet;

import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.nn.Conv2d;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.ResnetLayer;
import io.github.distrifuser.nn.TextContext;
import io.github.distrifuser.nn.Transformer2DModel;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** diffusers' DownBlock2D and CrossAttnDownBlock2D: the latter has attentions. */
final class DownBlock {
  private final List<ResnetLayer> resnets = new ArrayList<>();
  private final List<Transformer2DModel> attentions = new ArrayList<>();
  private final @Nullable Conv2d downsampler;

  DownBlock(Layers all, UNetConfig c, int index) {
    Layers layers = all.atLevel(index);
    String name = "down_blocks." + index;
    int in = c.blockOutChannels().get(Math.max(0, index - 1));
    int out = c.blockOutChannels().get(index);
    boolean cross = c.downBlockTypes().get(index).hasCrossAttention();
    for (int i = 0; i < c.layersPerBlock().get(index); i++) {
      resnets.add(
          layers.resnet(
              name + ".resnets." + i,
              i == 0 ? in : out,
              out,
              c.timeEmbedWidth(),
              c.normNumGroups(),
              c.normEps(),
              c.activation()));
      if (cross) {
        attentions.add(
            new Transformer2DModel(
                layers,
                name + ".attentions." + i,
                out,
                c.crossAttentionDim().get(index),
                c.attentionHeads().get(index),
                c.transformerLayersPerBlock().get(index),
                c.normNumGroups()));
      }
    }
    boolean last = index == c.blockOutChannels().size() - 1;
    int p = c.downsamplePadding();
    Conv2dGeometry g =
        p == 0 ? new Conv2dGeometry(2, 0, 1, 0, 1) : new Conv2dGeometry(2, p, p, p, p);
    this.downsampler = last ? null : layers.conv2d(name + ".downsamplers.0.conv", out, out, 3, g);
  }

  /** Runs the block; every output is also pushed as a skip connection. Consumes nothing. */
  Tensor forward(Tensor x, Tensor time, TextContext context, Deque<Tensor> skips) {
    Tensor h = x;
    for (int i = 0; i < resnets.size(); i++) {
      Tensor r = resnets.get(i).forward(h, time);
      if (!attentions.isEmpty()) {
        try (Tensor before = r) {
          r = attentions.get(i).forward(before, context);
        }
      }
      skips.add(r);
      h = r;
    }
    if (downsampler != null) {
      h = downsampler.forward(h);
      skips.add(h);
    }
    return h;
  }
}
