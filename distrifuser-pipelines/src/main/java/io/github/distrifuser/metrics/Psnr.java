package io.github.distrifuser.metrics;

import io.github.distrifuser.image.GeneratedImage;

/** Peak signal-to-noise ratio. */
public final class Psnr {
  private Psnr() {}

  /**
   * Peak signal-to-noise ratio of 8-bit pictures in dB: {@code 10 log10(255^2 / mean squared
   * difference)} over all pixels and channels.
   *
   * @return infinity for equal pictures
   * @throws IllegalArgumentException where sizes differ
   */
  public static double of(GeneratedImage a, GeneratedImage b) {
    if (a.height() != b.height() || a.width() != b.width()) {
      throw new IllegalArgumentException("pictures of different size: " + a + " and " + b);
    }
    long sum = 0;
    for (int i = 0; i < a.rgb().length; i++) {
      long d = (a.rgb()[i] & 0xff) - (b.rgb()[i] & 0xff);
      sum += d * d;
    }
    return 10 * Math.log10(255.0 * 255.0 * a.rgb().length / sum);
  }
}
