package io.github.distrifuser.models.clip;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.nn.LayerNorm;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.Linear;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.tensor.Tensor;
import java.util.List;

/** transformers' CLIPEncoderLayer: causal self-attention and an MLP, each after a norm. */
final class ClipLayer {
  private final Backend backend;
  private final LayerNorm layerNorm1;
  private final PreparedWeight qkv; // [3c, c]
  private final Linear outProj; // [c, c]
  private final LayerNorm layerNorm2;
  private final Linear fc1; // [inner, c]
  private final Linear fc2; // [c, inner]
  private final CLIPTextConfig config;

  ClipLayer(Layers layers, String name, CLIPTextConfig c) {
    this.backend = layers.backend();
    this.config = c;
    int width = c.hiddenSize();
    WeightStore w = layers.weights();
    String attn = name + ".self_attn";
    this.layerNorm1 = layers.layerNorm(name + ".layer_norm1", width, c.layerNormEps());
    this.qkv = w.stacked(backend, attn, List.of("q_proj", "k_proj", "v_proj"), width, width, true);
    this.outProj = layers.linear(attn + ".out_proj", width, width, true);
    this.layerNorm2 = layers.layerNorm(name + ".layer_norm2", width, c.layerNormEps());
    this.fc1 = layers.linear(name + ".mlp.fc1", width, c.intermediateSize(), true);
    this.fc2 = layers.linear(name + ".mlp.fc2", c.intermediateSize(), width, true);
  }

  /** Works on {@code h [b, l, c]} in place. */
  void forward(Tensor h) {
    int c = config.hiddenSize();
    int heads = config.numAttentionHeads();
    float scale = (float) (1 / Math.sqrt((double) c / heads));
    try (Tensor a = backend.allocate(h.dtype(), h.shape())) {
      try (Tensor n = layerNorm1.forward(h);
          Tensor all = backend.allocate(h.dtype(), h.shape().with(2, 3L * c))) {
        backend.linear(n, qkv, Activation.NONE, null, all);
        Tensor q = all.slice(2, 0, c);
        Tensor k = all.slice(2, c, 2L * c);
        Tensor v = all.slice(2, 2L * c, 3L * c);
        backend.attention(q, k, v, heads, scale, true, a);
      }
      outProj.addTo(a, h);
    }
    try (Tensor n = layerNorm2.forward(h);
        Tensor m = fc1.forward(n, config.hiddenAct())) {
      fc2.addTo(m, h);
    }
  }
}
