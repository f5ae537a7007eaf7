package io.github.distrifuser.models.vae;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.models.ConfigChecks;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.ResnetLayer;
import io.github.distrifuser.weights.ModelConfig;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The keys of a VAE's config.json, in diffusers' terms; its shift_factor means nothing to the
 * pipelines of SD and SDXL, there as here.
 *
 * @param scalingFactor what latents are divided by before decoding
 * @param latentsMean per-channel mean of latents, or null
 * @param latentsStd per-channel deviation of latents, or null
 * @param forceUpcast whether it overflows in float16 and must run in float32
 * @param sampleSize rows of the pictures that it was made for
 */
public record AutoencoderKLConfig(
    int inChannels,
    int outChannels,
    int latentChannels,
    List<Integer> blockOutChannels,
    int layersPerBlock,
    int normNumGroups,
    Activation activation,
    double scalingFactor,
    @Nullable List<Double> latentsMean,
    @Nullable List<Double> latentsStd,
    boolean forceUpcast,
    boolean useQuantConv,
    boolean usePostQuantConv,
    boolean midBlockAddAttention,
    int sampleSize) {

  /** Epsilon of all its norms. */
  static final float EPS = 1e-6f;

  /** How many times smaller latents are than pictures. */
  public int downFactor() {
    return 1 << (blockOutChannels.size() - 1);
  }

  ResnetLayer resnet(Layers layers, String name, int in, int out) {
    return layers.resnet(name, in, out, 0, normNumGroups, EPS, activation);
  }

  /**
   * Reads a config.json.
   *
   * @throws io.github.distrifuser.weights.WeightsException naming the file and the key
   */
  public static AutoencoderKLConfig of(ModelConfig c) {
    List<Integer> widths = c.getInts("block_out_channels");
    ConfigChecks.onlyBlocks(c, "down_block_types", "DownEncoderBlock2D", widths.size());
    ConfigChecks.onlyBlocks(c, "up_block_types", "UpDecoderBlock2D", widths.size());
    int groups = c.getInt("norm_num_groups", 32);
    for (int w : widths) {
      ConfigChecks.divides(c, "norm_num_groups", groups, w);
    }
    return new AutoencoderKLConfig(
        c.getInt("in_channels", 3),
        c.getInt("out_channels", 3),
        c.getInt("latent_channels", 4),
        widths,
        c.getInt("layers_per_block", 1),
        groups,
        ConfigChecks.activation(c, "act_fn", "silu"),
        c.getDouble("scaling_factor", 0.18215),
        c.optionalDoubles("latents_mean"),
        c.optionalDoubles("latents_std"),
        c.getBoolean("force_upcast", true),
        c.getBoolean("use_quant_conv", true),
        c.getBoolean("use_post_quant_conv", true),
        c.getBoolean("mid_block_add_attention", true),
        c.getInts("sample_size", 2, 512).get(0));
  }
}
