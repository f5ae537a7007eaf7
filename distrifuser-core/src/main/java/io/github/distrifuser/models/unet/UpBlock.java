package io.github.distrifuser.models.unet;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.ResnetLayer;
import io.github.distrifuser.nn.TextContext;
import io.github.distrifuser.nn.Transformer2DModel;
import io.github.distrifuser.nn.Upsample2D;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** diffusers' UpBlock2D and CrossAttnUpBlock2D: the latter has attentions. */
final class UpBlock {
  private final Backend backend;
  private final List<ResnetLayer> resnets = new ArrayList<>();
  private final List<Transformer2DModel> attentions = new ArrayList<>();
  private final @Nullable Upsample2D upsampler;

  UpBlock(Layers all, UNetConfig c, int index) {
    this.backend = all.backend();
    String name = "up_blocks." + index;
    int n = c.blockOutChannels().size();
    int level = n - 1 - index; // the down block that it mirrors
    Layers layers = all.atLevel(level);
    int out = c.blockOutChannels().get(level);
    int before = c.blockOutChannels().get(Math.min(n - 1, level + 1));
    int below = c.blockOutChannels().get(Math.max(0, level - 1));
    boolean cross = c.upBlockTypes().get(index).hasCrossAttention();
    int count = c.layersPerBlock().get(level) + 1;
    for (int i = 0; i < count; i++) {
      int skip = i == count - 1 ? below : out;
      int in = i == 0 ? before : out;
      resnets.add(
          layers.resnet(
              name + ".resnets." + i,
              in + skip,
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
                c.crossAttentionDim().get(level),
                c.attentionHeads().get(level),
                c.upTransformerLayersPerBlock().get(level),
                c.normNumGroups()));
      }
    }
    this.upsampler =
        index == n - 1 ? null : new Upsample2D(all.atLevel(level - 1), name + ".upsamplers.0", out);
  }

  /** Consumes {@code x} and one skip connection a resnet; the size follows the skips. */
  Tensor forward(Tensor x, Tensor time, TextContext context, Deque<Tensor> skips) {
    Tensor h = x;
    for (int i = 0; i < resnets.size(); i++) {
      Tensor joined = join(h, skips.removeLast());
      Tensor r;
      try (joined) {
        r = resnets.get(i).forward(joined, time);
      }
      if (!attentions.isEmpty()) {
        try (Tensor t = r) {
          r = attentions.get(i).forward(t, context);
        }
      }
      h = r;
    }
    if (upsampler != null) {
      Tensor next = skips.getLast();
      try (Tensor t = h) {
        h = upsampler.forward(t, next.shape().dim(1), next.shape().dim(2));
      }
    }
    return h;
  }

  private Tensor join(Tensor a, Tensor b) {
    try (a;
        b) {
      Tensor j =
          backend.allocate(a.dtype(), a.shape().with(3, a.shape().dim(3) + b.shape().dim(3)));
      backend.concatChannels(List.of(a, b), j);
      return j;
    }
  }
}
