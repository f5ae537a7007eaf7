package io.github.distrifuser.image;

import java.awt.image.BufferedImage;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.event.IIOReadWarningListener;
import javax.imageio.stream.ImageInputStream;

/**
 * Pictures from files: PNG and JPEG. Grey is repeated into three channels, palettes are looked up,
 * alpha and colour profiles are left out, as PIL's {@code convert("RGB")} does; 16 bits a channel
 * are an error.
 */
public final class ImageFiles {
  private ImageFiles() {}

  /** Whether the name is that of a picture: {@code .png}, {@code .jpg} or {@code .jpeg}. */
  public static boolean isImage(Path file) {
    String name = String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT);
    return name.endsWith(".png") || name.endsWith(".jpg") || name.endsWith(".jpeg");
  }

  /**
   * The pictures of a folder in the order of their names, hidden files left out.
   *
   * @throws ImageException naming the folder where it cannot be read
   */
  public static List<Path> list(Path folder) {
    try (Stream<Path> all = Files.list(folder)) {
      return all.filter(f -> isImage(f) && !f.getFileName().toString().startsWith("."))
          .sorted((a, b) -> a.getFileName().toString().compareTo(b.getFileName().toString()))
          .toList();
    } catch (IOException e) {
      throw new ImageException(folder, "cannot be read: " + e, e);
    }
  }

  /**
   * Reads a picture, with the texts of a PNG file. What it is, is told from its content.
   *
   * @throws ImageException naming the file where it is missing, cut short, damaged, of 16 bits a
   *     channel, or neither PNG nor JPEG
   */
  public static GeneratedImage read(Path file) {
    byte[] bytes;
    try {
      bytes = Files.readAllBytes(file);
    } catch (NoSuchFileException e) {
      throw new ImageException(file, "no such file", e);
    } catch (IOException e) {
      throw new ImageException(file, "cannot be read: " + e, e);
    }
    return decode(file, bytes);
  }

  /**
   * As {@link #read}, of bytes that are there already.
   *
   * @param name for messages
   */
  public static GeneratedImage decode(Path name, byte[] bytes) {
    if (bytes.length == 0) {
      throw new ImageException(name, "is empty");
    }
    if (PngChunks.isPng(bytes)) {
      return PngReader.read(PngChunks.parse(name, bytes));
    }
    if (bytes.length > 2 && (bytes[0] & 0xff) == 0xff && (bytes[1] & 0xff) == 0xd8) {
      return jpeg(name, bytes);
    }
    throw new ImageException(name, "is neither PNG nor JPEG");
  }

  private static GeneratedImage jpeg(Path name, byte[] bytes) {
    Iterator<ImageReader> readers = ImageIO.getImageReadersByFormatName("jpeg");
    if (!readers.hasNext()) {
      throw new ImageException(name, "this Java runtime cannot decode JPEG");
    }
    ImageReader reader = readers.next();
    try (ImageInputStream in = ImageIO.createImageInputStream(new ByteArrayInputStream(bytes))) {
      reader.setInput(in, true, true);
      IIOReadWarningListener strict =
          (source, warning) -> {
            throw new ImageException(name, "is damaged: " + warning);
          };
      reader.addIIOReadWarningListener(strict);
      return rgb(name, reader.read(0));
    } catch (IOException e) {
      throw new ImageException(name, "is damaged: " + e.getMessage(), e);
    } finally {
      reader.dispose();
    }
  }

  /** The samples as they are, whatever profile the file names. */
  private static GeneratedImage rgb(Path name, BufferedImage image) {
    Raster raster = image.getRaster();
    int bands = raster.getNumBands();
    if (bands != 1 && bands != 3) {
      throw new ImageException(name, "has " + bands + " channels; grey and RGB can be read");
    }
    int h = raster.getHeight();
    int w = raster.getWidth();
    byte[] rgb = new byte[Math.multiplyExact(3, h * w)];
    int[] row = new int[w * bands];
    for (int y = 0; y < h; y++) {
      raster.getPixels(0, y, w, 1, row);
      for (int x = 0; x < w; x++) {
        for (int c = 0; c < 3; c++) {
          rgb[3 * (y * w + x) + c] = (byte) row[x * bands + (bands == 1 ? 0 : c)];
        }
      }
    }
    return new GeneratedImage(h, w, rgb);
  }

  /**
   * The texts of a PNG file that is whole: every chunk there and right, and nothing behind it.
   * Decodes no pixels.
   *
   * @throws ImageException where it is not, naming the file and why
   */
  public static Map<String, String> textOfWhole(Path file) {
    PngChunks png = PngChunks.read(file);
    if (png.trailing() > 0) {
      throw new ImageException(file, "is damaged: something follows its end");
    }
    return png.text();
  }
}
