package io.github.distrifuser.models.unet;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.models.ConfigChecks;
import io.github.distrifuser.weights.ModelConfig;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * The keys of a UNet's config.json that SD 1.x, SD 2.x and SDXL repositories carry, in diffusers'
 * terms. Keys that would change the computation in a way that is not supported are errors that name
 * them.
 *
 * @param sampleSize rows of the latents that it was made for
 * @param layersPerBlock one a level
 * @param attentionHeads number of heads, one a level (diffusers' attention_head_dim, which means
 *     that)
 * @param crossAttentionDim width of the prompt's embeddings, one a level
 * @param transformerLayersPerBlock depth of the transformers going down, one a level
 * @param upTransformerLayersPerBlock depth of the transformers going up, by the same levels
 * @param timeEmbedWidth width of the time embedding
 * @param timeCondProjDim width of the guidance embedding, or 0
 * @param additionTimeEmbedDim width of each of SDXL's size embeddings, or 0
 * @param projectionClassEmbeddingsInputDim width of SDXL's joined conditioning, or 0
 */
public record UNetConfig(
    int sampleSize,
    int inChannels,
    int outChannels,
    List<Integer> blockOutChannels,
    List<BlockType> downBlockTypes,
    List<BlockType> upBlockTypes,
    List<Integer> layersPerBlock,
    List<Integer> attentionHeads,
    List<Integer> crossAttentionDim,
    List<Integer> transformerLayersPerBlock,
    List<Integer> upTransformerLayersPerBlock,
    int normNumGroups,
    float normEps,
    Activation activation,
    int downsamplePadding,
    int convInKernel,
    int convOutKernel,
    boolean flipSinToCos,
    float freqShift,
    int timeEmbedWidth,
    int timeCondProjDim,
    int additionTimeEmbedDim,
    int projectionClassEmbeddingsInputDim) {

  /**
   * Reads a config.json.
   *
   * @throws io.github.distrifuser.weights.WeightsException naming the file and the key
   */
  public static UNetConfig of(ModelConfig c) {
    rejectUnsupported(c);
    List<Integer> widths = c.getInts("block_out_channels");
    int n = widths.size();
    String headsKey = c.has("num_attention_heads") ? "num_attention_heads" : "attention_head_dim";
    List<Integer> heads = c.getInts(headsKey, n, 8);
    int groups = c.getInt("norm_num_groups", 32);
    for (int i = 0; i < n; i++) {
      ConfigChecks.divides(c, "norm_num_groups", groups, widths.get(i));
      ConfigChecks.divides(c, headsKey, heads.get(i), widths.get(i));
    }
    List<Integer> depths = c.getInts("transformer_layers_per_block", n, 1);
    boolean textTime = c.has("addition_embed_type");
    return new UNetConfig(
        c.getInts("sample_size", 2, 64).get(0),
        c.getInt("in_channels", 4),
        c.getInt("out_channels", 4),
        widths,
        blocks(c, "down_block_types", n, true),
        blocks(c, "up_block_types", n, false),
        c.getInts("layers_per_block", n, 2),
        heads,
        c.getInts("cross_attention_dim", n, 1280),
        depths,
        upDepths(c, n, depths),
        groups,
        c.getFloat("norm_eps", 1e-5f),
        ConfigChecks.activation(c, "act_fn", "silu"),
        c.getInt("downsample_padding", 1),
        c.getInt("conv_in_kernel", 3),
        c.getInt("conv_out_kernel", 3),
        c.getBoolean("flip_sin_to_cos", true),
        c.getFloat("freq_shift", 0),
        c.getInt("time_embedding_dim", 4 * widths.get(0)),
        c.getInt("time_cond_proj_dim", 0),
        textTime ? c.getInt("addition_time_embed_dim") : 0,
        textTime ? c.getInt("projection_class_embeddings_input_dim") : 0);
  }

  private static List<BlockType> blocks(ModelConfig c, String key, int n, boolean down) {
    List<String> names = c.getStrings(key);
    if (names.size() != n) {
      throw ConfigChecks.error(
          c, key, "expected " + n + " blocks as in block_out_channels, found " + names);
    }
    try {
      return names.stream().map(s -> BlockType.of(s, down)).toList();
    } catch (IllegalArgumentException e) {
      throw ConfigChecks.error(c, key, e.getMessage());
    }
  }

  /** Depths going up are listed from the deepest level, or mirror those going down. */
  private static List<Integer> upDepths(ModelConfig c, int n, List<Integer> down) {
    List<Integer> given = c.optionalInts("reverse_transformer_layers_per_block", n);
    if (given == null) {
      return down;
    }
    List<Integer> byLevel = new ArrayList<>(given);
    Collections.reverse(byLevel);
    return List.copyOf(byLevel);
  }

  private static void rejectUnsupported(ModelConfig c) {
    for (String key :
        List.of(
            "class_embed_type",
            "encoder_hid_dim",
            "encoder_hid_dim_type",
            "num_class_embeds",
            "time_embedding_act_fn",
            "timestep_post_act",
            "cross_attention_norm")) {
      c.supportOnly(key);
    }
    for (String key :
        List.of(
            "center_input_sample",
            "dual_cross_attention",
            "class_embeddings_concat",
            "resnet_skip_time_act",
            "mid_block_only_cross_attention",
            "only_cross_attention")) {
      c.supportOnly(key, false);
    }
    c.supportOnly("resnet_time_scale_shift", "default");
    c.supportOnly("time_embedding_type", "positional");
    c.supportOnly("attention_type", "default");
    c.supportOnly("mid_block_type", "UNetMidBlock2DCrossAttn");
    c.supportOnly("addition_embed_type", "text_time");
    c.supportOnly("mid_block_scale_factor", 1);
    c.supportOnly("resnet_out_scale_factor", 1);
  }
}
