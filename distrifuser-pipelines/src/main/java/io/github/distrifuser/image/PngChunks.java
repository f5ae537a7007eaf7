package io.github.distrifuser.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;

/**
 * A PNG file (ISO/IEC 15948) as its chunks, each held to its checksum: reading it tells a whole
 * file from one that was cut short or damaged, without decoding pixels.
 *
 * @param file for messages
 * @param height rows
 * @param width columns
 * @param bitDepth bits a sample
 * @param colorType 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA
 * @param interlaced in Adam7's seven passes
 * @param chunks those between IHDR and IEND, in order
 * @param trailing bytes behind IEND
 */
record PngChunks(
    Path file,
    int height,
    int width,
    int bitDepth,
    int colorType,
    boolean interlaced,
    List<Chunk> chunks,
    int trailing) {
  static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', 13, 10, 26, 10};
  private static final int HEADER_BYTES = 13;
  private static final int FRAME_BYTES = 12; // length, type and checksum

  /** A chunk's four letters and its content. */
  record Chunk(String type, byte[] data) {}

  /** Whether a file begins as PNG files do. */
  static boolean isPng(byte[] bytes) {
    return bytes.length >= SIGNATURE.length
        && Arrays.equals(bytes, 0, SIGNATURE.length, SIGNATURE, 0, SIGNATURE.length);
  }

  /**
   * Reads a file.
   *
   * @throws ImageException naming the file where it cannot be read, is no PNG file, is cut short or
   *     damaged
   */
  static PngChunks read(Path file) {
    try {
      return parse(file, Files.readAllBytes(file));
    } catch (IOException e) {
      throw new ImageException(file, "cannot be read: " + e, e);
    }
  }

  /** As {@link #read}, of bytes that are there already. */
  static PngChunks parse(Path file, byte[] bytes) {
    if (!isPng(bytes)) {
      throw new ImageException(file, bytes.length == 0 ? "is empty" : "is no PNG file");
    }
    ByteBuffer in = ByteBuffer.wrap(bytes).position(SIGNATURE.length);
    List<Chunk> chunks = new ArrayList<>();
    boolean pixels = false;
    while (true) {
      Chunk c = chunk(file, in);
      if (c.type().equals("IEND")) {
        break;
      }
      pixels |= c.type().equals("IDAT");
      chunks.add(c);
    }
    if (chunks.isEmpty() || !chunks.get(0).type().equals("IHDR")) {
      throw new ImageException(file, "is damaged: it does not begin with a header");
    }
    if (!pixels) {
      throw new ImageException(file, "is damaged: it holds no pixels");
    }
    ByteBuffer header = ByteBuffer.wrap(chunks.remove(0).data());
    if (header.remaining() != HEADER_BYTES) {
      throw new ImageException(file, "is damaged: its header has " + header.remaining() + " bytes");
    }
    int width = header.getInt();
    int height = header.getInt();
    if (width < 1 || height < 1) {
      throw new ImageException(file, "is damaged: its size is " + height + " x " + width);
    }
    int bitDepth = header.get();
    int colorType = header.get();
    header.getShort(); // compression and filter: 0
    boolean interlaced = header.get() != 0;
    return new PngChunks(
        file, height, width, bitDepth, colorType, interlaced, chunks, in.remaining());
  }

  private static Chunk chunk(Path file, ByteBuffer in) {
    if (in.remaining() < FRAME_BYTES) {
      throw new ImageException(file, "is cut short");
    }
    int length = in.getInt();
    if (length < 0 || length > in.remaining() - FRAME_BYTES + Integer.BYTES) {
      throw new ImageException(file, "is cut short");
    }
    CRC32 crc = new CRC32();
    crc.update(in.slice().limit(Integer.BYTES + length));
    byte[] type = new byte[Integer.BYTES];
    byte[] data = new byte[length];
    in.get(type).get(data);
    String name = new String(type, StandardCharsets.US_ASCII);
    if (in.getInt() != (int) crc.getValue()) {
      throw new ImageException(file, "is damaged: its chunk " + name + " fails its checksum");
    }
    return new Chunk(name, data);
  }

  /** The content of all chunks of a type, joined. */
  byte[] joined(String type) {
    int length = 0;
    for (Chunk c : chunks) {
      length += c.type().equals(type) ? c.data().length : 0;
    }
    ByteBuffer all = ByteBuffer.allocate(length);
    for (Chunk c : chunks) {
      if (c.type().equals(type)) {
        all.put(c.data());
      }
    }
    return all.array();
  }

  /** The uncompressed international texts, as {@link PngWriter} writes them. */
  Map<String, String> text() {
    Map<String, String> texts = new LinkedHashMap<>();
    for (Chunk c : chunks) {
      if (!c.type().equals("iTXt")) {
        continue;
      }
      byte[] d = c.data();
      int keyword = zero(d, 0);
      if (keyword + 2 >= d.length || d[keyword + 1] != 0) {
        continue; // compressed
      }
      int language = zero(d, keyword + 3);
      int translated = zero(d, language + 1);
      if (translated < d.length) {
        texts.put(
            new String(d, 0, keyword, StandardCharsets.ISO_8859_1),
            new String(d, translated + 1, d.length - translated - 1, StandardCharsets.UTF_8));
      }
    }
    return texts;
  }

  private static int zero(byte[] d, int from) {
    int at = from;
    while (at < d.length && d[at] != 0) {
      at++;
    }
    return at;
  }
}
