package io.github.distrifuser.image;

import io.github.distrifuser.weights.AtomicFiles;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/**
 * Writes PNG files (ISO/IEC 15948): 8-bit RGB, Sub-filtered rows, international text chunks. By
 * hand, because it starts faster than AWT and gives the same bytes everywhere.
 */
final class PngWriter {
  private static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', 13, 10, 26, 10};

  private PngWriter() {}

  static void write(GeneratedImage image, Path file, Map<String, String> text) {
    try {
      AtomicFiles.write(file, encode(image, text));
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": " + e.getMessage(), e);
    }
  }

  static byte[] encode(GeneratedImage image, Map<String, String> text) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(SIGNATURE);
    ByteBuffer header = ByteBuffer.allocate(13);
    header.putInt(image.width()).putInt(image.height());
    header.put((byte) 8).put((byte) 2).put((byte) 0).put((byte) 0).put((byte) 0);
    chunk(out, "IHDR", header.array());
    text.forEach((key, value) -> chunk(out, "iTXt", text(key, value)));
    chunk(out, "IDAT", deflate(filtered(image)));
    chunk(out, "IEND", new byte[0]);
    return out.toByteArray();
  }

  private static byte[] text(String key, String value) {
    ByteArrayOutputStream b = new ByteArrayOutputStream();
    b.writeBytes(key.getBytes(StandardCharsets.ISO_8859_1));
    b.writeBytes(new byte[5]); // end of keyword, uncompressed, no language, no translation
    b.writeBytes(value.getBytes(StandardCharsets.UTF_8));
    return b.toByteArray();
  }

  /** Each row behind its filter type: 1, the difference to the pixel on the left. */
  private static byte[] filtered(GeneratedImage image) {
    int stride = 3 * image.width();
    byte[] rows = new byte[image.height() * (stride + 1)];
    byte[] rgb = image.rgb();
    int at = 0;
    for (int y = 0; y < image.height(); y++) {
      rows[at++] = 1;
      int row = y * stride;
      for (int i = 0; i < stride; i++) {
        rows[at++] = (byte) (rgb[row + i] - (i < 3 ? 0 : rgb[row + i - 3]));
      }
    }
    return rows;
  }

  private static byte[] deflate(byte[] data) {
    Deflater d = new Deflater(6);
    try {
      d.setInput(data);
      d.finish();
      ByteArrayOutputStream out = new ByteArrayOutputStream(data.length / 2 + 64);
      byte[] buffer = new byte[1 << 16];
      while (!d.finished()) {
        out.write(buffer, 0, d.deflate(buffer));
      }
      return out.toByteArray();
    } finally {
      d.end();
    }
  }

  private static void chunk(ByteArrayOutputStream out, String type, byte[] data) {
    byte[] name = type.getBytes(StandardCharsets.US_ASCII);
    CRC32 crc = new CRC32();
    crc.update(name);
    crc.update(data);
    out.writeBytes(ByteBuffer.allocate(4).putInt(data.length).array());
    out.writeBytes(name);
    out.writeBytes(data);
    out.writeBytes(ByteBuffer.allocate(4).putInt((int) crc.getValue()).array());
  }
}
