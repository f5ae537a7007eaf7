package io.github.distrifuser.schedulers;

/**
 * What models distilled with guidance, as latent consistency models, are told about its scale.
 * Upstream: {@code get_guidance_scale_embedding} of the pipelines.
 */
public final class GuidanceScaleEmbedding {
  private GuidanceScaleEmbedding() {}

  /**
   * Sines, then cosines, of {@code 1000 w} at geometrically falling frequencies.
   *
   * @param w guidance scale less 1
   * @param dim the UNet's {@code time_cond_proj_dim}, at least 4
   * @return {@code [dim]}; where that is odd, the last number is 0
   */
  public static float[] of(double w, int dim) {
    if (dim < 4) {
      throw new IllegalArgumentException("embedding dimension: expected 4 or more, found " + dim);
    }
    int half = dim / 2;
    float scaled = (float) w * 1000;
    float rate = (float) Math.log(10000) / (half - 1);
    float[] out = new float[dim];
    for (int i = 0; i < half; i++) {
      float angle = scaled * (float) Math.exp(i * -rate);
      out[i] = (float) Math.sin(angle);
      out[half + i] = (float) Math.cos(angle);
    }
    return out;
  }
}
