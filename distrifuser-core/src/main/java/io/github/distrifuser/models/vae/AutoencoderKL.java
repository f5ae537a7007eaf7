package io.github.distrifuser.models.vae;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.nn.Conv2d;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleConsumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * diffusers' AutoencoderKL. Encoder and decoder are built when they are first used.
 *
 * <p>Tiling and slicing are off at first, as in diffusers. Tiling computes large pictures tile by
 * tile, so that memory stays that of a tile of the size that the model was made for; tiles overlap
 * by a quarter and are blended. Slicing computes one entry of a batch after another.
 */
public final class AutoencoderKL implements AutoCloseable {
  private final AutoencoderKLConfig config;
  private final Layers layers;
  private final Tiling tiling;
  private volatile boolean useTiling;
  private volatile boolean useSlicing;
  private @Nullable Decoder decoder;
  private @Nullable Conv2d postQuantConv;
  private @Nullable Encoder encoder;
  private @Nullable Conv2d quantConv;

  public AutoencoderKL(AutoencoderKLConfig config, Layers layers) {
    this.config = config;
    this.layers = layers;
    this.tiling = Tiling.of(config);
  }

  /** Computes pictures that are larger than the model's own size in tiles. */
  public void enableTiling() {
    useTiling = true;
  }

  /** Computes every picture as one. */
  public void disableTiling() {
    useTiling = false;
  }

  /** Computes one entry of a batch after another. */
  public void enableSlicing() {
    useSlicing = true;
  }

  /** Computes a batch as one. */
  public void disableSlicing() {
    useSlicing = false;
  }

  /** Whether large pictures are computed in tiles. */
  public boolean isTiling() {
    return useTiling;
  }

  /** Whether the entries of a batch are computed one after another. */
  public boolean isSlicing() {
    return useSlicing;
  }

  public AutoencoderKLConfig config() {
    return config;
  }

  /** The backend that it runs on. */
  public Backend backend() {
    return layers.backend();
  }

  /** Prepares the decoder's weights now; otherwise the first {@link #decode} does. */
  public synchronized void prepareDecoder() {
    if (decoder == null) {
      int c = config.latentChannels();
      postQuantConv = config.usePostQuantConv() ? layers.conv2d("post_quant_conv", c, c, 1) : null;
      decoder = new Decoder(layers, config);
    }
  }

  /**
   * Latents to pictures; no scaling factor is applied.
   *
   * @param latents {@code [n, latent_channels, h, w]}
   * @return {@code [n, 3, 8h, 8w]}, about -1 to 1
   */
  public NdArray decode(NdArray latents) {
    return decode(latents, share -> {});
  }

  /**
   * As {@link #decode(NdArray)}.
   *
   * @param progress told the share of the work that is done, rising to 1
   */
  public NdArray decode(NdArray latents, DoubleConsumer progress) {
    check(latents, config.latentChannels());
    prepareDecoder();
    boolean tiled = useTiling && tiling.cutsLatents(latents);
    double all = tiled ? tiling.latentPixels(latents) : pixels(latents);
    double[] done = {0};
    UnaryOperator<NdArray> decoding =
        z -> {
          double own = pixels(z);
          NdArray out = decodeOne(z, share -> progress.accept((done[0] + share * own) / all));
          done[0] += own;
          return out;
        };
    return sliced(latents, z -> tiled ? tiling.decode(z, decoding) : decoding.apply(z));
  }

  private static double pixels(NdArray a) {
    return (double) a.size(0) * a.size(2) * a.size(3);
  }

  private NdArray decodeOne(NdArray latents, DoubleConsumer progress) {
    Backend b = layers.backend();
    try (Tensor z = upload(latents)) {
      if (postQuantConv == null) {
        return download(b, decoderOf().forward(z, progress));
      }
      try (Tensor p = postQuantConv.forward(z)) {
        return download(b, decoderOf().forward(p, progress));
      }
    }
  }

  private Decoder decoderOf() {
    Decoder d = decoder;
    if (d == null) {
      throw new IllegalStateException("the decoder is closed");
    }
    return d;
  }

  /**
   * Pictures to the moments of their latents.
   *
   * @param image {@code [n, 3, h, w]}, -1 to 1
   * @return {@code [n, 2 * latent_channels, h/8, w/8]}: means, then log variances
   */
  public NdArray encode(NdArray image) {
    check(image, config.inChannels());
    return sliced(
        image,
        x ->
            useTiling && tiling.cutsPictures(x) ? tiling.encode(x, this::encodeOne) : encodeOne(x));
  }

  private synchronized NdArray encodeOne(NdArray image) {
    Backend b = layers.backend();
    Encoder e = encoder;
    if (e == null) {
      int c = 2 * config.latentChannels();
      quantConv = config.useQuantConv() ? layers.conv2d("quant_conv", c, c, 1) : null;
      e = new Encoder(layers, config);
      encoder = e;
    }
    try (Tensor x = upload(image);
        Tensor h = e.forward(x)) {
      return download(b, quantConv == null ? h : quantConv.forward(h));
    }
  }

  private NdArray sliced(NdArray batch, UnaryOperator<NdArray> compute) {
    if (!useSlicing || batch.size(0) < 2) {
      return compute.apply(batch);
    }
    List<NdArray> parts = new ArrayList<>();
    for (int i = 0; i < batch.size(0); i++) {
      parts.add(compute.apply(batch.rows(i, i + 1)));
    }
    return NdArray.concat(parts);
  }

  private static void check(NdArray a, int channels) {
    if (a.shape().rank() != 4 || a.size(1) != channels) {
      throw new IllegalArgumentException(
          "the VAE expects [n, " + channels + ", h, w], found " + a.shape());
    }
  }

  private Tensor upload(NdArray a) {
    NdArray last = a.toChannelsLast();
    Tensor t = layers.backend().allocate(last.shape().toArray());
    layers.backend().write(last.data(), 0, t);
    return t;
  }

  private static NdArray download(Backend b, Tensor t) {
    try (t) {
      return new NdArray(b.toFloats(t), t.shape()).toChannelsFirst();
    }
  }

  /** Frees the weights. Idempotent. */
  @Override
  public synchronized void close() {
    decoder = null;
    encoder = null;
    WeightStore w = layers.weights();
    w.close();
  }
}
