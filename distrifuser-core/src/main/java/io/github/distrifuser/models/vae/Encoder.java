package io.github.distrifuser.models.vae;

import io.github.distrifuser.backend.Conv2dGeometry;
import io.github.distrifuser.nn.Conv2d;
import io.github.distrifuser.nn.GroupNorm;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.ResnetLayer;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** diffusers' Encoder: pictures to the moments of latents. */
final class Encoder {
  private static final Conv2dGeometry DOWN = new Conv2dGeometry(2, 0, 1, 0, 1);

  private final AutoencoderKLConfig config;
  private final Conv2d convIn;
  private final List<List<ResnetLayer>> downBlocks = new ArrayList<>();
  private final List<@Nullable Conv2d> downsamplers = new ArrayList<>();
  private final VaeMidBlock midBlock;
  private final GroupNorm convNormOut;
  private final Conv2d convOut;

  Encoder(Layers layers, AutoencoderKLConfig c) {
    this.config = c;
    List<Integer> widths = c.blockOutChannels();
    int previous = widths.get(0);
    this.convIn = layers.conv2d("encoder.conv_in", c.inChannels(), previous, 3);
    for (int i = 0; i < widths.size(); i++) {
      String name = "encoder.down_blocks." + i;
      int out = widths.get(i);
      List<ResnetLayer> resnets = new ArrayList<>();
      for (int k = 0; k < c.layersPerBlock(); k++) {
        resnets.add(c.resnet(layers, name + ".resnets." + k, k == 0 ? previous : out, out));
      }
      downBlocks.add(resnets);
      downsamplers.add(
          i == widths.size() - 1
              ? null
              : layers.conv2d(name + ".downsamplers.0.conv", out, out, 3, DOWN));
      previous = out;
    }
    this.midBlock = new VaeMidBlock(layers, "encoder.mid_block", c);
    this.convNormOut =
        layers.groupNorm(
            "encoder.conv_norm_out", c.normNumGroups(), previous, AutoencoderKLConfig.EPS);
    this.convOut = layers.conv2d("encoder.conv_out", previous, 2 * c.latentChannels(), 3);
  }

  /** {@code [b, h, w, 3]} to {@code [b, h/8, w/8, 2 * latent_channels]}; closes nothing. */
  Tensor forward(Tensor x) {
    Tensor h = convIn.forward(x);
    try {
      for (int i = 0; i < downBlocks.size(); i++) {
        for (ResnetLayer r : downBlocks.get(i)) {
          h = Decoder.replace(h, r.forward(h, null));
        }
        Conv2d down = downsamplers.get(i);
        if (down != null) {
          h = Decoder.replace(h, down.forward(h));
        }
      }
      h = Decoder.replace(h, midBlock.forward(h));
      try (Tensor n =
          convOut.input(h.shape().dim(0), h.shape().dim(1), h.shape().dim(2), h.size(3))) {
        convNormOut.forward(h, config.activation(), n);
        return convOut.forward(n);
      }
    } finally {
      h.close();
    }
  }
}
