package io.github.distrifuser.models.unet;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.nn.Conv2d;
import io.github.distrifuser.nn.GroupNorm;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * diffusers' UNet2DConditionModel. Which layers it is made of is the {@link Layers}' business, so
 * the same class serves one device and every parallel scheme.
 */
public final class UNet2DConditionModel {
  private final UNetConfig config;
  private final Backend backend;
  private final Conv2d convIn;
  private final TimestepEmbedding timeEmbedding;
  private final @Nullable TimestepEmbedding addEmbedding;
  private final List<DownBlock> downBlocks = new ArrayList<>();
  private final MidBlock midBlock;
  private final List<UpBlock> upBlocks = new ArrayList<>();
  private final GroupNorm convNormOut;
  private final Conv2d convOut;

  /** Builds the model; a missing or mis-shaped weight is an error that names it. */
  public UNet2DConditionModel(UNetConfig config, Layers layers) {
    this.config = config;
    this.backend = layers.backend();
    int first = config.blockOutChannels().get(0);
    this.convIn = layers.inputConv2d("conv_in", config.inChannels(), first, config.convInKernel());
    this.timeEmbedding =
        new TimestepEmbedding(
            layers,
            "time_embedding",
            first,
            config.timeEmbedWidth(),
            config.timeCondProjDim(),
            config.activation());
    this.addEmbedding =
        config.additionTimeEmbedDim() == 0
            ? null
            : new TimestepEmbedding(
                layers,
                "add_embedding",
                config.projectionClassEmbeddingsInputDim(),
                config.timeEmbedWidth(),
                0,
                Activation.SILU); // whatever act_fn says, as in diffusers
    for (int i = 0; i < config.blockOutChannels().size(); i++) {
      downBlocks.add(new DownBlock(layers, config, i));
    }
    this.midBlock = new MidBlock(layers, config);
    for (int i = 0; i < config.blockOutChannels().size(); i++) {
      upBlocks.add(new UpBlock(layers, config, i));
    }
    this.convNormOut =
        layers.groupNorm("conv_norm_out", config.normNumGroups(), first, config.normEps());
    this.convOut = layers.conv2d("conv_out", first, config.outChannels(), config.convOutKernel());
  }

  public UNetConfig config() {
    return config;
  }

  /**
   * One call.
   *
   * @return the model's output, {@code [b, h, w, out_channels]}, which the caller closes
   */
  public Tensor forward(UNetInput in) {
    Deque<Tensor> skips = new ArrayDeque<>();
    Tensor h = null;
    try (Tensor time = embedTime(in)) {
      h = convIn.forward(in.sample());
      skips.add(h);
      for (DownBlock block : downBlocks) {
        h = block.forward(h, time, in.context(), skips);
      }
      addDownResiduals(in, skips);
      h = midBlock.forward(h, time, in.context());
      if (in.midResidual() != null) {
        backend.addScaled(h, in.midResidual(), 1, h);
      }
      for (UpBlock block : upBlocks) {
        h = block.forward(h, time, in.context(), skips);
      }
      Tensor n = convOut.input(h.shape().dim(0), h.shape().dim(1), h.shape().dim(2), h.size(3));
      try (n) {
        convNormOut.forward(h, config.activation(), n);
        return convOut.forward(n);
      }
    } finally {
      if (h != null) {
        h.close();
      }
      skips.forEach(Tensor::close);
    }
  }

  private void addDownResiduals(UNetInput in, Deque<Tensor> skips) {
    if (in.downResiduals() == null) {
      return;
    }
    if (in.downResiduals().size() != skips.size()) {
      throw new IllegalArgumentException(
          in.downResiduals().size() + " down-block residuals for " + skips.size() + " skips");
    }
    int i = 0;
    for (Tensor s : skips) {
      backend.addScaled(s, in.downResiduals().get(i++), 1, s);
    }
  }

  /** What {@link UNetInput#times} is made of: as many rows as timesteps, in row-major order. */
  public float[] timeSinusoids(float[] timesteps) {
    return TimestepEmbedding.sinusoids(
        timesteps, config.blockOutChannels().get(0), config.flipSinToCos(), config.freqShift());
  }

  /** What {@link UNetInput#sizes} is made of, in row-major order. */
  public float[] sizeSinusoids(float[] timeIds) {
    return TimestepEmbedding.sinusoids(
        timeIds, config.additionTimeEmbedDim(), config.flipSinToCos(), config.freqShift());
  }

  /** The activated time embedding, as every resnet takes it: {@code [b, timeWidth]}. */
  private Tensor embedTime(UNetInput in) {
    Tensor emb = timeEmbedding.forward(in.times(), in.timestepCond());
    if (addEmbedding != null) {
      try (Tensor added = embedAdded(in, addEmbedding)) {
        backend.addScaled(emb, added, 1, emb);
      }
    }
    backend.activation(emb, config.activation(), emb);
    return emb;
  }

  private Tensor embedAdded(UNetInput in, TimestepEmbedding embedding) {
    Tensor pooled = in.textEmbeds();
    Tensor sizes = in.sizes();
    if (pooled == null || sizes == null) {
      throw new IllegalArgumentException(
          "a UNet with addition_embed_type text_time needs text_embeds and time_ids");
    }
    int width = pooled.size(1);
    int all = width + sizes.size(1);
    int expected = config.projectionClassEmbeddingsInputDim();
    if (all != expected) {
      throw new IllegalArgumentException(
          "add_embedding expects a vector of length "
              + expected
              + ", but a vector of "
              + all
              + " was created: check text_embeds "
              + pooled.shape()
              + " and the number of time_ids, "
              + sizes.size(1) / config.additionTimeEmbedDim());
    }
    try (Tensor joined = backend.allocate(in.sample().size(0), expected)) {
      backend.copy(pooled, joined.slice(1, 0, width));
      backend.copy(sizes, joined.slice(1, width, expected));
      return embedding.forward(joined, null);
    }
  }
}
