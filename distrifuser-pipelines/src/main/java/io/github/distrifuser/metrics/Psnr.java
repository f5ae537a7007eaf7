package io.github.distrifuser.metrics;

import io.github.distrifuser.image.GeneratedImage;

/**
 * Peak signal-to-noise ratio of 8-bit pictures in dB, {@code 10 log10(255^2 / mean squared
 * difference)} over all pixels and channels, of one pair or of several together.
 */
public final class Psnr {
  private long squares;
  private long samples;

  /** Nothing added yet. */
  public Psnr() {}

  /**
   * Peak signal-to-noise ratio of two pictures.
   *
   * @return infinity for equal pictures
   * @throws IllegalArgumentException where sizes differ
   */
  public static double of(GeneratedImage a, GeneratedImage b) {
    return new Psnr().add(a, b).value();
  }

  /**
   * Adds a pair.
   *
   * @throws IllegalArgumentException where sizes differ
   */
  public Psnr add(GeneratedImage a, GeneratedImage b) {
    if (a.height() != b.height() || a.width() != b.width()) {
      throw new IllegalArgumentException("pictures of different size: " + a + " and " + b);
    }
    for (int i = 0; i < a.rgb().length; i++) {
      long d = (a.rgb()[i] & 0xff) - (b.rgb()[i] & 0xff);
      squares += d * d;
    }
    samples += a.rgb().length;
    return this;
  }

  /** The ratio of all pairs together; infinity where they are equal. */
  public double value() {
    return 10 * Math.log10(255.0 * 255.0 * samples / squares);
  }
}
