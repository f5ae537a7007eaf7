package io.github.distrifuser.models.vae;

import io.github.distrifuser.nn.Conv2d;
import io.github.distrifuser.nn.GroupNorm;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.ResnetLayer;
import io.github.distrifuser.nn.Upsample2D;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleConsumer;
import org.jspecify.annotations.Nullable;

/** diffusers' Decoder: latents to pictures. */
final class Decoder {
  private final AutoencoderKLConfig config;
  private final Conv2d convIn;
  private final VaeMidBlock midBlock;
  private final List<List<ResnetLayer>> upBlocks = new ArrayList<>();
  private final List<@Nullable Upsample2D> upsamplers = new ArrayList<>();
  private final GroupNorm convNormOut;
  private final Conv2d convOut;
  private final List<Double> costs = new ArrayList<>(); // of each stage, in multiplications

  Decoder(Layers layers, AutoencoderKLConfig c) {
    this.config = c;
    List<Integer> widths = c.blockOutChannels();
    int n = widths.size();
    int previous = widths.get(n - 1);
    this.convIn = layers.conv2d("decoder.conv_in", c.latentChannels(), previous, 3);
    this.midBlock = new VaeMidBlock(layers, "decoder.mid_block", c);
    costs.add(cost(0, previous, previous) + cost(0, previous, previous));
    for (int i = 0; i < n; i++) {
      String name = "decoder.up_blocks." + i;
      int out = widths.get(n - 1 - i);
      List<ResnetLayer> resnets = new ArrayList<>();
      for (int k = 0; k <= c.layersPerBlock(); k++) {
        int in = k == 0 ? previous : out;
        resnets.add(c.resnet(layers, name + ".resnets." + k, in, out));
        costs.add(cost(i, in, out));
      }
      upBlocks.add(resnets);
      upsamplers.add(i == n - 1 ? null : new Upsample2D(layers, name + ".upsamplers.0", out));
      previous = out;
    }
    this.convNormOut =
        layers.groupNorm(
            "decoder.conv_norm_out", c.normNumGroups(), previous, AutoencoderKLConfig.EPS);
    this.convOut = layers.conv2d("decoder.conv_out", previous, c.outChannels(), 3);
  }

  /** A residual block's cost, for one latent pixel, after so many doublings of the picture. */
  private static double cost(int doublings, double in, double out) {
    return Math.pow(4, doublings) * (in * out + out * out);
  }

  /**
   * {@code [b, h, w, latent_channels]} to {@code [b, 8h, 8w, 3]}; closes nothing.
   *
   * @param progress told the share of the work that is done, after each of its stages
   */
  Tensor forward(Tensor z, DoubleConsumer progress) {
    double all = costs.stream().mapToDouble(Double::doubleValue).sum();
    double done = 0;
    int stage = 0;
    Tensor h = convIn.forward(z);
    try {
      h = replace(h, midBlock.forward(h));
      done += costs.get(stage++);
      progress.accept(done / all);
      for (int i = 0; i < upBlocks.size(); i++) {
        for (ResnetLayer r : upBlocks.get(i)) {
          h = replace(h, r.forward(h, null));
          done += costs.get(stage++);
          progress.accept(done / all);
        }
        Upsample2D up = upsamplers.get(i);
        if (up != null) {
          h = replace(h, up.forward(h));
        }
      }
      try (Tensor n =
          convOut.input(h.shape().dim(0), h.shape().dim(1), h.shape().dim(2), h.size(3))) {
        convNormOut.forward(h, config.activation(), n);
        return convOut.forward(n);
      }
    } finally {
      h.close();
    }
  }

  static Tensor replace(Tensor old, Tensor next) {
    old.close();
    return next;
  }
}
