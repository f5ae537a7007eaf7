package io.github.distrifuser.image;

import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * Decodes PNG files of up to 8 bits a channel to RGB: grey is repeated, palettes are looked up,
 * alpha is left out, as PIL's {@code convert("RGB")} does.
 */
final class PngReader {
  private static final int[][] WHOLE = {{0, 0, 1, 1}};

  /** Adam7's passes: first column and row, steps between columns and rows. */
  private static final int[][] ADAM7 = {
    {0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}
  };

  private final PngChunks png;
  private final int samples; // a pixel
  private final byte[] palette;
  private final byte[] rgb;

  private PngReader(PngChunks png) {
    this.png = png;
    if (png.bitDepth() == 16) {
      throw new ImageException(
          png.file(), "has 16 bits a channel; only pictures of 8 bits can be compared");
    }
    this.samples =
        switch (png.colorType()) {
          case 0, 3 -> 1;
          case 4 -> 2;
          case 2 -> 3;
          case 6 -> 4;
          default -> throw damaged("its colour type is " + png.colorType());
        };
    boolean packed = png.bitDepth() == 1 || png.bitDepth() == 2 || png.bitDepth() == 4;
    if (png.bitDepth() != 8 && !(packed && samples == 1)) {
      throw damaged("it has " + png.bitDepth() + " bits a channel");
    }
    this.palette = png.joined("PLTE");
    if ((long) png.height() * png.width() > Integer.MAX_VALUE / 4) {
      throw new ImageException(png.file(), "is too large: " + png.height() + " x " + png.width());
    }
    this.rgb = new byte[3 * png.height() * png.width()];
  }

  /**
   * Decodes.
   *
   * @throws ImageException naming the file where its pixels are damaged or have 16 bits a channel
   */
  static GeneratedImage read(PngChunks png) {
    return new PngReader(png).decode();
  }

  private ImageException damaged(String how) {
    return new ImageException(png.file(), "is damaged: " + how);
  }

  private GeneratedImage decode() {
    int[][] passes = png.interlaced() ? ADAM7 : WHOLE;
    long total = 0;
    for (int[] p : passes) {
      total += rows(p) * (stride(p) + 1L);
    }
    if (total > Integer.MAX_VALUE - 8) {
      throw new ImageException(png.file(), "is too large: " + total + " bytes of pixels");
    }
    byte[] data = inflate((int) total);
    int at = 0;
    for (int[] p : passes) {
      at = pass(p, data, at);
    }
    return new GeneratedImage(png.height(), png.width(), rgb).withText(png.text());
  }

  private int columns(int[] pass) {
    return Math.max(0, (png.width() - pass[0] + pass[2] - 1) / pass[2]);
  }

  /** Rows of a pass, none where it has no columns. */
  private int rows(int[] pass) {
    return columns(pass) == 0 ? 0 : Math.max(0, (png.height() - pass[1] + pass[3] - 1) / pass[3]);
  }

  private int stride(int[] pass) {
    return (int) (((long) columns(pass) * samples * png.bitDepth() + 7) / 8);
  }

  private byte[] inflate(int total) {
    Inflater inflater = new Inflater();
    byte[] data = new byte[total];
    try {
      inflater.setInput(png.joined("IDAT"));
      int at = 0;
      while (at < total) {
        int n = inflater.inflate(data, at, total - at);
        if (n == 0) {
          throw damaged("it holds " + at + " bytes of pixels instead of " + total);
        }
        at += n;
      }
      return data;
    } catch (DataFormatException e) {
      throw new ImageException(png.file(), "is damaged: " + e.getMessage(), e);
    } finally {
      inflater.end();
    }
  }

  private int pass(int[] pass, byte[] data, int from) {
    int stride = stride(pass);
    int pixelBytes = Math.max(1, samples * png.bitDepth() / 8);
    int at = from;
    for (int r = 0; r < rows(pass); r++) {
      unfilter(data, at, stride, pixelBytes, r > 0);
      row(pass, r, data, at + 1);
      at += stride + 1;
    }
    return at;
  }

  /** Undoes a row's filter in place; its type stands before it. */
  private void unfilter(byte[] d, int row, int stride, int bpp, boolean hasAbove) {
    int filter = d[row];
    if (filter < 0 || filter > 4) {
      throw damaged("a row's filter is " + filter);
    }
    int begin = row + 1;
    for (int i = 0; i < stride; i++) {
      int at = begin + i;
      int left = i >= bpp ? d[at - bpp] & 0xff : 0;
      int above = hasAbove ? d[at - stride - 1] & 0xff : 0;
      int corner = hasAbove && i >= bpp ? d[at - stride - 1 - bpp] & 0xff : 0;
      d[at] +=
          (byte)
              switch (filter) {
                case 1 -> left;
                case 2 -> above;
                case 3 -> (left + above) / 2;
                case 4 -> paeth(left, above, corner);
                default -> 0;
              };
    }
  }

  private static int paeth(int a, int b, int c) {
    int p = a + b - c;
    int pa = Math.abs(p - a);
    int pb = Math.abs(p - b);
    int pc = Math.abs(p - c);
    if (pa <= pb && pa <= pc) {
      return a;
    }
    return pb <= pc ? b : c;
  }

  private void row(int[] pass, int r, byte[] d, int begin) {
    int y = pass[1] + r * pass[3];
    for (int c = 0; c < columns(pass); c++) {
      int to = 3 * (y * png.width() + pass[0] + c * pass[2]);
      if (samples >= 3) {
        int from = begin + c * samples;
        rgb[to] = d[from];
        rgb[to + 1] = d[from + 1];
        rgb[to + 2] = d[from + 2];
        continue;
      }
      int value = samples == 2 ? d[begin + 2 * c] & 0xff : sample(d, begin, c);
      if (png.colorType() == 3) {
        if (3 * value + 2 >= palette.length) {
          throw damaged("a pixel has colour " + value + " of " + palette.length / 3);
        }
        System.arraycopy(palette, 3 * value, rgb, to, 3);
      } else {
        byte grey = (byte) (value * (255 / ((1 << png.bitDepth()) - 1)));
        rgb[to] = grey;
        rgb[to + 1] = grey;
        rgb[to + 2] = grey;
      }
    }
  }

  private int sample(byte[] d, int begin, int column) {
    int depth = png.bitDepth();
    int bit = column * depth;
    return (d[begin + bit / 8] & 0xff) >> (8 - depth - bit % 8) & ((1 << depth) - 1);
  }
}
