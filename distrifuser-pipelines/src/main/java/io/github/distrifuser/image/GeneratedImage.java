package io.github.distrifuser.image;

import io.github.distrifuser.tensor.NdArray;
import java.awt.image.BufferedImage;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;

/** An RGB picture of 8 bits a channel, rows from the top. */
public final class GeneratedImage {
  private final int height;
  private final int width;
  private final byte[] rgb; // [height, width, 3]
  private final Map<String, String> text;

  /**
   * Wraps pixels.
   *
   * @param rgb {@code [height, width, 3]}; not copied
   */
  public GeneratedImage(int height, int width, byte[] rgb) {
    this(height, width, rgb, Map.of());
  }

  private GeneratedImage(int height, int width, byte[] rgb, Map<String, String> text) {
    if (height < 1 || width < 1 || rgb.length != Math.multiplyExact(3, height * width)) {
      throw new IllegalArgumentException(
          rgb.length + " bytes for a picture of " + height + " x " + width);
    }
    this.height = height;
    this.width = width;
    this.rgb = rgb;
    this.text = text;
  }

  /** The same pixels with texts that are saved with them, by keyword. */
  public GeneratedImage withText(Map<String, String> newText) {
    return new GeneratedImage(height, width, rgb, Map.copyOf(newText));
  }

  /** Texts that are saved with the pixels, by keyword; a pipeline puts in its parameters. */
  public Map<String, String> text() {
    return text;
  }

  /**
   * A VAE's output as diffusers' VaeImageProcessor makes it a picture: {@code (x / 2 + 0.5)},
   * clamped, times 255, rounded half to even. NaN becomes black.
   *
   * @param decoded {@code [1, 3, h, w]}
   */
  public static GeneratedImage fromDecoded(NdArray decoded) {
    if (decoded.shape().rank() != 4 || decoded.size(0) != 1 || decoded.size(1) != 3) {
      throw new IllegalArgumentException(
          "expected a decoded picture [1, 3, h, w], found " + decoded.shape());
    }
    int h = decoded.size(2);
    int w = decoded.size(3);
    int n = h * w;
    byte[] rgb = new byte[3 * n];
    for (int c = 0; c < 3; c++) {
      for (int i = 0; i < n; i++) {
        float v = decoded.data()[c * n + i] * 0.5f + 0.5f;
        rgb[3 * i + c] = (byte) (int) Math.rint(Math.max(0f, Math.min(1f, v)) * 255f);
      }
    }
    return new GeneratedImage(h, w, rgb);
  }

  public int height() {
    return height;
  }

  public int width() {
    return width;
  }

  /** The pixels, {@code [height, width, 3]}; not copied. */
  public byte[] rgb() {
    return rgb;
  }

  /** One channel of a pixel, 0 to 255; channel 0 is red. */
  public int at(int y, int x, int channel) {
    return rgb[3 * (y * width + x) + channel] & 0xff;
  }

  /** A copy for AWT. */
  public BufferedImage toBufferedImage() {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    int[] row = new int[width];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        row[x] = at(y, x, 0) << 16 | at(y, x, 1) << 8 | at(y, x, 2);
      }
      image.setRGB(0, y, width, 1, row, 0, width);
    }
    return image;
  }

  /**
   * Saves a PNG with its {@link #text()}: written beside the file and moved into its place, so that
   * there is never half a picture.
   *
   * @throws java.io.UncheckedIOException naming the file where it cannot be written
   */
  public void save(Path file) {
    PngWriter.write(this, file, text);
  }

  /** {@link #save(Path)}. */
  public void save(String file) {
    save(Path.of(file));
  }

  /** Whether the pixels are equal. */
  @Override
  public boolean equals(Object o) {
    return o instanceof GeneratedImage i
        && i.height == height
        && i.width == width
        && Arrays.equals(i.rgb, rgb);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(rgb);
  }

  @Override
  public String toString() {
    return "GeneratedImage[" + height + " x " + width + "]";
  }
}
