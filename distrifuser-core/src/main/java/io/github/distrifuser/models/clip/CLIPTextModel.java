package io.github.distrifuser.models.clip;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.nn.LayerNorm;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.Linear;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** transformers' CLIPTextModel, and CLIPTextModelWithProjection where it has a projection. */
public final class CLIPTextModel implements AutoCloseable {
  private static final String PREFIX = "text_model.";

  private final CLIPTextConfig config;
  private final Layers layers;
  private final Backend backend;
  private final PreparedWeight tokenEmbedding; // [vocab, c]
  private final PreparedWeight positionEmbedding; // [positions, c]
  private final List<ClipLayer> encoder = new ArrayList<>();
  private final LayerNorm finalLayerNorm;
  private final @Nullable Linear textProjection; // [projection, c]

  /**
   * Builds the model from weights named {@code text_model....}.
   *
   * @param withProjection whether pooled states go through {@code text_projection}
   */
  public CLIPTextModel(CLIPTextConfig config, Layers layers, boolean withProjection) {
    this.config = config;
    this.layers = layers;
    this.backend = layers.backend();
    int c = config.hiddenSize();
    String emb = PREFIX + "embeddings.";
    this.tokenEmbedding =
        layers.weights().embedding(backend, emb + "token_embedding", config.vocabSize(), c);
    this.positionEmbedding =
        layers
            .weights()
            .embedding(backend, emb + "position_embedding", config.maxPositionEmbeddings(), c);
    for (int i = 0; i < config.numHiddenLayers(); i++) {
      encoder.add(new ClipLayer(layers, PREFIX + "encoder.layers." + i, config));
    }
    this.finalLayerNorm = layers.layerNorm(PREFIX + "final_layer_norm", c, config.layerNormEps());
    this.textProjection =
        withProjection ? layers.linear("text_projection", c, config.projectionDim(), false) : null;
  }

  public CLIPTextConfig config() {
    return config;
  }

  /**
   * Encodes token ids.
   *
   * @param ids one row a prompt, all of one length
   * @param fromEnd which hidden state to return, counted from the end: 1 is the last layer's output
   *     (before the final norm), 2 the one before, as in {@code hidden_states[-2]}
   * @return that state, the last one after the final norm, and the pooled state
   */
  public CLIPTextOutput forward(int[][] ids, int fromEnd) {
    int n = ids.length;
    int length = ids[0].length;
    if (fromEnd < 1 || fromEnd > encoder.size() + 1) {
      throw new IllegalArgumentException(
          "hidden state -" + fromEnd + " of a text encoder with " + encoder.size() + " layers");
    }
    if (length > config.maxPositionEmbeddings()) {
      throw new IllegalArgumentException(
          length + " tokens for " + config.maxPositionEmbeddings() + " positions");
    }
    int keep = encoder.size() + 1 - fromEnd;
    NdArray kept = null;
    try (Tensor h = embed(ids)) {
      for (int i = 0; i <= encoder.size(); i++) {
        if (i == keep) {
          kept = new NdArray(backend.toFloats(h), h.shape());
        }
        if (i < encoder.size()) {
          encoder.get(i).forward(h);
        }
      }
      try (Tensor last = finalLayerNorm.forward(h)) {
        NdArray state = new NdArray(backend.toFloats(last), last.shape());
        if (kept == null) {
          throw new IllegalStateException("no hidden state kept");
        }
        return new CLIPTextOutput(kept, state, pool(state, ids, n, length));
      }
    }
  }

  /** The final norm applied to a hidden state, as diffusers does for SD under clip_skip. */
  public NdArray finalNorm(NdArray hidden) {
    try (Tensor h = backend.allocate(hidden.shape().toArray())) {
      backend.write(hidden.data(), 0, h);
      try (Tensor n = finalLayerNorm.forward(h)) {
        return new NdArray(backend.toFloats(n), n.shape());
      }
    }
  }

  private Tensor embed(int[][] ids) {
    int n = ids.length;
    int length = ids[0].length;
    int[] flat = new int[n * length];
    int[] positions = new int[n * length];
    for (int i = 0; i < n; i++) {
      for (int k = 0; k < length; k++) {
        if (ids[i][k] < 0 || ids[i][k] >= config.vocabSize()) {
          throw new IllegalArgumentException(
              "token id " + ids[i][k] + " in a vocabulary of " + config.vocabSize());
        }
        flat[i * length + k] = ids[i][k];
        positions[i * length + k] = k;
      }
    }
    Tensor h = backend.allocate(n, length, config.hiddenSize());
    backend.embedding(flat, tokenEmbedding, h);
    try (Tensor p = backend.allocate(n, length, config.hiddenSize())) {
      backend.embedding(positions, positionEmbedding, p);
      backend.addScaled(h, p, 1, h);
    }
    return h;
  }

  private NdArray pool(NdArray state, int[][] ids, int n, int length) {
    int c = config.hiddenSize();
    float[] rows = new float[n * c];
    for (int i = 0; i < n; i++) {
      System.arraycopy(state.data(), (i * length + endOfText(ids[i])) * c, rows, i * c, c);
    }
    NdArray pooled = NdArray.of(rows, n, c);
    if (textProjection == null) {
      return pooled;
    }
    try (Tensor t = backend.allocate(backend.dtype(), Shape.of(n, c))) {
      backend.write(rows, 0, t);
      try (Tensor p = textProjection.forward(t, Activation.NONE)) {
        return new NdArray(backend.toFloats(p), p.shape());
      }
    }
  }

  /**
   * Where the prompt ends. Published configurations of SD 1.x say {@code eos_token_id} 2 though
   * their vocabulary ends with it: the largest id is meant then. Otherwise the first eos token.
   */
  private int endOfText(int[] ids) {
    int at = 0;
    for (int k = 0; k < ids.length; k++) {
      if (config.eosTokenId() == 2) {
        if (ids[k] > ids[at]) {
          at = k;
        }
      } else if (ids[k] == config.eosTokenId()) {
        return k;
      }
    }
    return at;
  }

  /** Frees the weights. Idempotent. */
  @Override
  public void close() {
    layers.weights().close();
  }
}
