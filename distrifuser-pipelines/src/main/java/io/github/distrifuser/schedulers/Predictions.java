package io.github.distrifuser.schedulers;

/** Clean samples from what models predict, with float32 rounding after each operation. */
final class Predictions {
  private Predictions() {}

  /**
   * Where the sample is {@code sqrt(alpha) x0 + sqrt(1 - alpha) noise}: DDIM, DDPM, LCM.
   *
   * @param alpha cumulative product at the timestep
   */
  static float[] originalFromAlpha(
      PredictionType type, float[] output, float[] sample, float alpha) {
    float signal = (float) Math.sqrt(alpha);
    float level = (float) Math.sqrt(1f - alpha);
    float[] x0 = new float[sample.length];
    switch (type) {
      case EPSILON -> {
        for (int i = 0; i < x0.length; i++) {
          x0[i] = (sample[i] - level * output[i]) / signal;
        }
      }
      case SAMPLE -> System.arraycopy(output, 0, x0, 0, x0.length);
      case V_PREDICTION -> {
        for (int i = 0; i < x0.length; i++) {
          x0[i] = signal * sample[i] - level * output[i];
        }
      }
    }
    return x0;
  }

  /**
   * Where the sample is {@code x0 + sigma * noise}: Euler, Heun, LMS.
   *
   * @param sigma noise level of the sample
   */
  static float[] originalFromSigma(
      PredictionType type, float[] output, float[] sample, float sigma) {
    float[] x0 = new float[sample.length];
    switch (type) {
      case EPSILON -> {
        for (int i = 0; i < x0.length; i++) {
          x0[i] = sample[i] - sigma * output[i];
        }
      }
      case SAMPLE -> System.arraycopy(output, 0, x0, 0, x0.length);
      case V_PREDICTION -> {
        float square = sigma * sigma + 1;
        float out = -sigma / (float) Math.sqrt(square);
        for (int i = 0; i < x0.length; i++) {
          x0[i] = output[i] * out + sample[i] / square;
        }
      }
    }
    return x0;
  }
}
