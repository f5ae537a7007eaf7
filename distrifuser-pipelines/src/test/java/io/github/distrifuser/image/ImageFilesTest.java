package io.github.distrifuser.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Decodes what another encoder wrote, and refuses what is not whole. */
class ImageFilesTest {
  private static final int H = 13;
  private static final int W = 19;

  @TempDir Path folder;

  private static BufferedImage picture(int type) {
    BufferedImage image = new BufferedImage(W, H, type);
    Random random = new Random(type);
    for (int y = 0; y < H; y++) {
      for (int x = 0; x < W; x++) {
        image.setRGB(x, y, 0xff000000 | random.nextInt(1 << 24) & (x % 3 == 0 ? 0xffffff : 0xf0f0));
      }
    }
    return image;
  }

  private static byte[] png(BufferedImage image, boolean interlaced) throws IOException {
    ImageWriter writer = ImageIO.getImageWritersByFormatName("png").next();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ImageOutputStream out = ImageIO.createImageOutputStream(bytes)) {
      writer.setOutput(out);
      ImageWriteParam param = writer.getDefaultWriteParam();
      param.setProgressiveMode(
          interlaced ? ImageWriteParam.MODE_DEFAULT : ImageWriteParam.MODE_DISABLED);
      writer.write(null, new IIOImage(image, null, null), param);
    } finally {
      writer.dispose();
    }
    return bytes.toByteArray();
  }

  /** RGB, RGBA, palette, black and white. */
  @ParameterizedTest
  @CsvSource({
    "1,false",
    "1,true",
    "2,false",
    "2,true",
    "13,false",
    "13,true",
    "12,false",
    "12,true"
  })
  void pngFilesGiveTheirPixels(int type, boolean interlaced) throws IOException {
    BufferedImage image = picture(type);
    GeneratedImage read = ImageFiles.decode(Path.of("p.png"), png(image, interlaced));
    assertEquals(H, read.height());
    assertEquals(W, read.width());
    for (int y = 0; y < H; y++) {
      for (int x = 0; x < W; x++) {
        int rgb = read.at(y, x, 0) << 16 | read.at(y, x, 1) << 8 | read.at(y, x, 2);
        assertEquals(image.getRGB(x, y) & 0xffffff, rgb, "pixel " + y + " " + x);
      }
    }
  }

  @Test
  void greyIsRepeated() throws IOException {
    BufferedImage image = picture(BufferedImage.TYPE_BYTE_GRAY);
    GeneratedImage read = ImageFiles.decode(Path.of("p.png"), png(image, false));
    for (int y = 0; y < H; y++) {
      for (int x = 0; x < W; x++) {
        int grey = image.getRaster().getSample(x, y, 0);
        for (int c = 0; c < 3; c++) {
          assertEquals(grey, read.at(y, x, c));
        }
      }
    }
  }

  @Test
  void sixteenBitsAreAnErrorThatNamesTheFile() throws IOException {
    byte[] bytes = png(picture(BufferedImage.TYPE_USHORT_GRAY), false);
    String message =
        assertThrows(ImageException.class, () -> ImageFiles.decode(Path.of("deep.png"), bytes))
            .getMessage();
    assertTrue(message.startsWith("deep.png: has 16 bits a channel"), message);
  }

  @Test
  void savedPicturesComeBackWithTheirTexts() throws IOException {
    byte[] rgb = new byte[3 * H * W];
    new Random(5).nextBytes(rgb);
    Path file = folder.resolve("saved.png");
    Map<String, String> text = Map.of("parameters", "{\"prompt\": \"naïve ☃\"}");
    new GeneratedImage(H, W, rgb).withText(text).save(file);
    GeneratedImage read = ImageFiles.read(file);
    assertArrayEquals(rgb, read.rgb());
    assertEquals(text, read.text());
    assertEquals(text, ImageFiles.textOfWhole(file));
  }

  @Test
  void apictureCutAnywhereIsNotWhole() throws IOException {
    byte[] rgb = new byte[3 * H * W];
    new Random(6).nextBytes(rgb);
    Path file = folder.resolve("cut.png");
    new GeneratedImage(H, W, rgb).withText(Map.of("a", "b")).save(file);
    byte[] bytes = Files.readAllBytes(file);
    for (int length = 0; length < bytes.length; length++) {
      Files.write(file, Arrays.copyOf(bytes, length));
      assertNotWhole(file);
    }
    for (int at = 0; at < bytes.length; at++) {
      byte[] flipped = bytes.clone();
      flipped[at] ^= 0x10;
      Files.write(file, flipped);
      assertNotWhole(file);
    }
    Files.write(file, Arrays.copyOf(bytes, bytes.length + 1));
    assertNotWhole(file);
  }

  private static void assertNotWhole(Path file) {
    String message =
        assertThrows(ImageException.class, () -> ImageFiles.textOfWhole(file)).getMessage();
    assertTrue(message.startsWith(file + ": "), message);
  }

  @Test
  void jpegFilesGiveTheirPixelsAndCutOnesAnError() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    BufferedImage image = new BufferedImage(64, 48, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < 48; y++) {
      for (int x = 0; x < 64; x++) {
        image.setRGB(x, y, (4 * x) << 16 | (5 * y) << 8 | (x + y));
      }
    }
    ImageIO.write(image, "jpg", out);
    byte[] bytes = out.toByteArray();
    GeneratedImage read = ImageFiles.decode(Path.of("p.jpg"), bytes);
    BufferedImage expected = ImageIO.read(new java.io.ByteArrayInputStream(bytes));
    assertEquals(expected.getRGB(7, 9) & 0xffffff, read.toBufferedImage().getRGB(7, 9) & 0xffffff);
    byte[] cut = Arrays.copyOf(bytes, bytes.length / 2);
    String message =
        assertThrows(ImageException.class, () -> ImageFiles.decode(Path.of("c.jpg"), cut))
            .getMessage();
    assertTrue(message.startsWith("c.jpg: is damaged"), message);
  }

  @Test
  void whatIsNoPictureIsNamed() {
    String message =
        assertThrows(
                ImageException.class,
                () -> ImageFiles.decode(Path.of("x.png"), new byte[] {1, 2, 3}))
            .getMessage();
    assertEquals("x.png: is neither PNG nor JPEG", message);
  }
}
