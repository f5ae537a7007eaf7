package io.github.distrifuser.models.clip;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.models.ConfigChecks;
import io.github.distrifuser.weights.ModelConfig;

/**
 * The keys of a text encoder's config.json, in transformers' terms.
 *
 * @param eosTokenId the end-of-text token; 2 means "the largest id", as old configurations have it
 */
public record CLIPTextConfig(
    int vocabSize,
    int hiddenSize,
    int intermediateSize,
    int numHiddenLayers,
    int numAttentionHeads,
    int maxPositionEmbeddings,
    int projectionDim,
    float layerNormEps,
    Activation hiddenAct,
    int eosTokenId) {

  /**
   * Reads a config.json.
   *
   * @throws io.github.distrifuser.weights.WeightsException naming the file and the key
   */
  public static CLIPTextConfig of(ModelConfig c) {
    int width = c.getInt("hidden_size", 512);
    int heads = c.getInt("num_attention_heads", 8);
    ConfigChecks.divides(c, "num_attention_heads", heads, width);
    return new CLIPTextConfig(
        c.getInt("vocab_size", 49408),
        width,
        c.getInt("intermediate_size", 2048),
        c.getInt("num_hidden_layers", 12),
        heads,
        c.getInt("max_position_embeddings", 77),
        c.getInt("projection_dim", 512),
        c.getFloat("layer_norm_eps", 1e-5f),
        ConfigChecks.activation(c, "hidden_act", "quick_gelu"),
        c.getInt("eos_token_id", 49407));
  }
}
