package io.github.distrifuser.pipelines;

import io.github.distrifuser.tensor.NdArray;

/** diffusers' get_guidance_scale_embedding: sinusoids of 1000 w, sines first. */
final class GuidanceScaleEmbedding {
  private GuidanceScaleEmbedding() {}

  /**
   * The embedding of one number.
   *
   * @return {@code [1, dim]}
   */
  static NdArray of(double w, int dim) {
    float scaled = (float) w * 1000f;
    int half = dim / 2;
    float step = (float) (Math.log(10000) / (half - 1));
    float[] e = new float[dim];
    for (int i = 0; i < half; i++) {
      float angle = scaled * (float) Math.exp(i * -step);
      e[i] = (float) Math.sin(angle);
      e[half + i] = (float) Math.cos(angle);
    }
    return NdArray.of(e, 1, dim);
  }
}
