package io.github.distrifuser.models.vae;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.models.ActivationNames;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.ResnetLayer;
import io.github.distrifuser.weights.ModelConfig;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The keys of a VAE's config.json, in diffusers' terms.
 *
 * @param scalingFactor what latents are divided by before decoding
 * @param shiftFactor what is added after that, or 0
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
    double shiftFactor,
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
    List<Integer> widths = c.ints("block_out_channels");
    types(c, "down_block_types", "DownEncoderBlock2D", widths.size());
    types(c, "up_block_types", "UpDecoderBlock2D", widths.size());
    int groups = c.intValue("norm_num_groups", 32);
    for (int w : widths) {
      if (w % groups != 0) {
        throw c.error("block_out_channels", w + " channels do not divide into " + groups + " groups");
      }
    }
    String act = c.string("act_fn", "silu");
    Activation activation;
    try {
      activation = ActivationNames.of(act == null ? "silu" : act);
    } catch (IllegalArgumentException e) {
      throw c.error("act_fn", e.getMessage());
    }
    return new AutoencoderKLConfig(
        c.intValue("in_channels", 3),
        c.intValue("out_channels", 3),
        c.intValue("latent_channels", 4),
        widths,
        c.intValue("layers_per_block", 1),
        groups,
        activation,
        c.doubleValue("scaling_factor", 0.18215),
        c.isNull("shift_factor") ? 0 : c.doubleValue("shift_factor", 0),
        c.isNull("latents_mean") ? null : c.doubles("latents_mean"),
        c.isNull("latents_std") ? null : c.doubles("latents_std"),
        c.bool("force_upcast", true),
        c.bool("use_quant_conv", true),
        c.bool("use_post_quant_conv", true),
        c.bool("mid_block_add_attention", true),
        c.isNull("sample_size") ? 512 : c.intsOrInt("sample_size", 1, 512).get(0));
  }

  private static void types(ModelConfig c, String key, String only, int n) {
    List<String> found = c.strings(key);
    if (found.size() != n) {
      throw c.error(key, "expected " + n + " blocks as in block_out_channels, found " + found);
    }
    for (String s : found) {
      if (!s.equals(only)) {
        throw c.error(key, "unknown block type '" + s + "': only " + only + " is supported");
      }
    }
  }
}
