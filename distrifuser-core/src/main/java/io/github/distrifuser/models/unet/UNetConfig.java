package io.github.distrifuser.models.unet;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.models.ActivationNames;
import io.github.distrifuser.weights.ModelConfig;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

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
 * @param transformerLayersPerBlock depth of the transformers, one list a level going down
 * @param upTransformerLayersPerBlock the same going up, by level; null where it mirrors the way down
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
    List<List<Integer>> transformerLayersPerBlock,
    @Nullable List<List<Integer>> upTransformerLayersPerBlock,
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

  /** Depths of a level's transformers going down, one a resnet. */
  List<Integer> transformerLayers(int level) {
    return transformerLayersPerBlock.get(level);
  }

  /** Depths of a level's transformers going up, one a resnet. */
  List<Integer> upTransformerLayers(int level) {
    if (upTransformerLayersPerBlock != null) {
      return upTransformerLayersPerBlock.get(level);
    }
    return Collections.nCopies(
        layersPerBlock.get(level) + 1, transformerLayersPerBlock.get(level).get(0));
  }

  /**
   * Reads a config.json.
   *
   * @throws io.github.distrifuser.weights.WeightsException naming the file and the key
   */
  public static UNetConfig of(ModelConfig c) {
    rejectUnsupported(c);
    List<Integer> widths = c.ints("block_out_channels");
    int n = widths.size();
    List<BlockType> down = blocks(c, "down_block_types", n, true);
    List<BlockType> up = blocks(c, "up_block_types", n, false);
    List<Integer> layers = c.intsOrInt("layers_per_block", n, 2);
    List<Integer> heads =
        c.isNull("num_attention_heads")
            ? c.intsOrInt("attention_head_dim", n, 8)
            : c.intsOrInt("num_attention_heads", n, 8);
    int groups = c.intValue("norm_num_groups", 32);
    for (int i = 0; i < n; i++) {
      int w = widths.get(i);
      if (w % groups != 0) {
        throw c.error("block_out_channels", w + " channels do not divide into " + groups + " groups");
      }
      if (w % heads.get(i) != 0) {
        throw c.error("attention_head_dim", w + " channels do not divide into " + heads.get(i) + " heads");
      }
    }
    boolean textTime = "text_time".equals(c.string("addition_embed_type", null));
    return new UNetConfig(
        c.isNull("sample_size") ? 64 : c.intsOrInt("sample_size", 1, 64).get(0),
        c.intValue("in_channels", 4),
        c.intValue("out_channels", 4),
        widths,
        down,
        up,
        layers,
        heads,
        c.intsOrInt("cross_attention_dim", n, 1280),
        depths(c, "transformer_layers_per_block", layers, 0),
        c.isNull("reverse_transformer_layers_per_block")
            ? null
            : upDepths(c, layers),
        groups,
        (float) c.doubleValue("norm_eps", 1e-5),
        activation(c),
        c.intValue("downsample_padding", 1),
        c.intValue("conv_in_kernel", 3),
        c.intValue("conv_out_kernel", 3),
        c.bool("flip_sin_to_cos", true),
        (float) c.doubleValue("freq_shift", 0),
        c.isNull("time_embedding_dim") ? 4 * widths.get(0) : c.intValue("time_embedding_dim", 0),
        c.isNull("time_cond_proj_dim") ? 0 : c.intValue("time_cond_proj_dim", 0),
        textTime ? c.intValue("addition_time_embed_dim") : 0,
        textTime ? c.intValue("projection_class_embeddings_input_dim") : 0);
  }

  private static Activation activation(ModelConfig c) {
    String name = c.string("act_fn", "silu");
    try {
      return ActivationNames.of(name == null ? "silu" : name);
    } catch (IllegalArgumentException e) {
      throw c.error("act_fn", e.getMessage());
    }
  }

  private static List<BlockType> blocks(ModelConfig c, String key, int n, boolean down) {
    List<String> names = c.strings(key);
    if (names.size() != n) {
      throw c.error(key, "expected " + n + " blocks as in block_out_channels, found " + names);
    }
    try {
      return names.stream().map(s -> BlockType.of(s, down)).toList();
    } catch (IllegalArgumentException e) {
      throw c.error(key, e.getMessage());
    }
  }

  /** One list a level: a number stands for as many equal ones as the level has resnets. */
  private static List<List<Integer>> depths(
      ModelConfig c, String key, List<Integer> layers, int more) {
    List<List<Integer>> all = new ArrayList<>();
    for (int i = 0; i < layers.size(); i++) {
      all.add(c.nestedInts(key, i, layers.size(), layers.get(i) + more, 1));
    }
    return all;
  }

  private static List<List<Integer>> upDepths(ModelConfig c, List<Integer> layers) {
    List<Integer> reversed = new ArrayList<>(layers);
    Collections.reverse(reversed);
    List<List<Integer>> all = depths(c, "reverse_transformer_layers_per_block", reversed, 1);
    Collections.reverse(all);
    return all;
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
      if (!c.isNull(key)) {
        throw c.error(key, "is not supported");
      }
    }
    for (String key :
        List.of(
            "center_input_sample",
            "dual_cross_attention",
            "class_embeddings_concat",
            "resnet_skip_time_act",
            "mid_block_only_cross_attention",
            "only_cross_attention")) {
      if (!c.isNull(key) && !c.isFalse(key)) {
        throw c.error(key, "is not supported");
      }
    }
    only(c, "resnet_time_scale_shift", "default");
    only(c, "time_embedding_type", "positional");
    only(c, "attention_type", "default");
    only(c, "mid_block_type", "UNetMidBlock2DCrossAttn");
    String addition = c.string("addition_embed_type", null);
    if (addition != null && !addition.equals("text_time")) {
      throw c.error("addition_embed_type", "'" + addition + "' is not supported: only text_time is");
    }
    for (String key : List.of("mid_block_scale_factor", "resnet_out_scale_factor")) {
      if (c.doubleValue(key, 1) != 1) {
        throw c.error(key, "only 1 is supported");
      }
    }
  }

  private static void only(ModelConfig c, String key, String value) {
    String found = c.string(key, value);
    if (!value.equals(found)) {
      throw c.error(key, "'" + found + "' is not supported: only " + value + " is");
    }
  }
}
