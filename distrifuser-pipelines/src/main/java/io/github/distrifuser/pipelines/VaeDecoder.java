package io.github.distrifuser.pipelines;

import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.models.vae.AutoencoderKL;
import io.github.distrifuser.models.vae.AutoencoderKLConfig;
import io.github.distrifuser.nn.Layers;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.progress.ProgressReporter;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.weights.Renames;
import io.github.distrifuser.weights.StateDict;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Turns latents into pictures, one at a time; the VAE is loaded for the first. */
final class VaeDecoder implements AutoCloseable {
  /** A progress bar's parts for each picture. */
  private static final int PARTS = 100;

  private final ModelSource source;
  private final @Nullable String variant;
  private final Ranks ranks;
  private final AutoencoderKLConfig config;
  private @Nullable AutoencoderKL vae;
  private boolean closed;

  VaeDecoder(ModelSource source, @Nullable String variant, Ranks ranks) {
    this.source = source;
    this.variant = variant;
    this.ranks = ranks;
    this.config = AutoencoderKLConfig.of(source.config("vae/config.json"));
  }

  AutoencoderKLConfig config() {
    return config;
  }

  /** The model, opened now if it was not; its weights are prepared when they are needed. */
  synchronized AutoencoderKL vae() {
    if (closed) {
      throw new IllegalStateException("the pipeline is closed");
    }
    AutoencoderKL v = vae;
    if (v == null) {
      StateDict dict =
          source
              .weights("vae", "diffusion_pytorch_model", variant)
              .renamed(Renames.oldVaeAttention());
      Layers layers = new Layers(ranks.decoding(config.forceUpcast()), new WeightStore(dict));
      v = new AutoencoderKL(config, layers);
      vae = v;
    }
    return v;
  }

  /**
   * Decodes.
   *
   * @param latents {@code [n, c, h, w]}, as the denoising loop leaves them
   * @param bars how progress is shown
   */
  List<GeneratedImage> decode(NdArray latents, ProgressReporter.Config bars) {
    AutoencoderKL v = vae();
    v.prepareDecoder();
    List<GeneratedImage> images = new ArrayList<>();
    int n = latents.size(0);
    long[] done = {0};
    try (ProgressReporter bar = ProgressReporter.start(bars, "decoding", (long) n * PARTS)) {
      for (int i = 0; i < n; i++) {
        int before = i;
        NdArray picture =
            v.decode(
                unscaled(latents.rows(i, i + 1)),
                share -> {
                  long now = Math.round((before + share) * PARTS);
                  bar.advance(now - done[0]);
                  done[0] = now;
                });
        images.add(GeneratedImage.fromDecoded(picture));
      }
    }
    return images;
  }

  private NdArray unscaled(NdArray latents) {
    int channels = latents.size(1);
    int n = latents.data().length / channels;
    float[] out = new float[latents.data().length];
    for (int c = 0; c < channels; c++) {
      List<Double> means = config.latentsMean();
      List<Double> stds = config.latentsStd();
      boolean both = means != null && stds != null;
      float factor = both ? stds.get(c).floatValue() : 1;
      float shift = both ? means.get(c).floatValue() : 0;
      float scaling = (float) config.scalingFactor();
      for (int k = c * n; k < (c + 1) * n; k++) {
        out[k] = latents.data()[k] * factor / scaling + shift;
      }
    }
    return new NdArray(out, latents.shape());
  }

  @Override
  public synchronized void close() {
    closed = true;
    if (vae != null) {
      vae.close();
      vae = null;
    }
  }
}
