package io.github.distrifuser.models.clip;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.models.ActivationNames;
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
    int width = c.intValue("hidden_size", 512);
    int heads = c.intValue("num_attention_heads", 8);
    if (width % heads != 0) {
      throw c.error("num_attention_heads", heads + " do not divide a width of " + width);
    }
    String act = c.string("hidden_act", "quick_gelu");
    Activation activation;
    try {
      activation = ActivationNames.of(act == null ? "quick_gelu" : act);
    } catch (IllegalArgumentException e) {
      throw c.error("hidden_act", e.getMessage());
    }
    return new CLIPTextConfig(
        c.intValue("vocab_size", 49408),
        width,
        c.intValue("intermediate_size", 2048),
        c.intValue("num_hidden_layers", 12),
        heads,
        c.intValue("max_position_embeddings", 77),
        c.intValue("projection_dim", 512),
        (float) c.doubleValue("layer_norm_eps", 1e-5),
        activation,
        c.isNull("eos_token_id") ? 49407 : c.intValue("eos_token_id", 49407));
  }
}
