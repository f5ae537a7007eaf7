package io.github.distrifuser.models.vae;

import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.ResnetLayer;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** diffusers' UNetMidBlock2D without time embedding. */
final class VaeMidBlock {
  private final ResnetLayer first;
  private final @Nullable VaeAttention attention;
  private final ResnetLayer second;

  VaeMidBlock(Layers layers, String name, AutoencoderKLConfig c) {
    int channels = c.blockOutChannels().get(c.blockOutChannels().size() - 1);
    this.first = c.resnet(layers, name + ".resnets.0", channels, channels);
    this.attention =
        c.midBlockAddAttention()
            ? new VaeAttention(
                layers,
                name + ".attentions.0",
                channels,
                c.normNumGroups(),
                AutoencoderKLConfig.EPS)
            : null;
    this.second = c.resnet(layers, name + ".resnets.1", channels, channels);
  }

  Tensor forward(Tensor x) {
    try (Tensor h = first.forward(x, null)) {
      if (attention != null) {
        attention.forward(h);
      }
      return second.forward(h, null);
    }
  }
}
