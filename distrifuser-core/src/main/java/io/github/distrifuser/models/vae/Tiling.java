package io.github.distrifuser.models.vae;

import io.github.distrifuser.tensor.NdArray;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Overlapping tiles of what goes through a VAE, and the blending of what comes out. A tile is as
 * large as the pictures that the model was made for, a quarter of it is overlap.
 *
 * @param picture rows and columns of a tile of a picture
 * @param latent rows and columns of a tile of latents
 */
record Tiling(int picture, int latent) {
  private static final double OVERLAP = 0.25;

  static Tiling of(AutoencoderKLConfig config) {
    return new Tiling(config.sampleSize(), config.sampleSize() / config.downFactor());
  }

  boolean cutsPictures(NdArray x) {
    return x.size(2) > picture || x.size(3) > picture;
  }

  boolean cutsLatents(NdArray z) {
    return z.size(2) > latent || z.size(3) > latent;
  }

  /** Pixels of all tiles of latents, overlaps counted twice. */
  double latentPixels(NdArray z) {
    return (double) z.size(0) * covered(z.size(2)) * covered(z.size(3));
  }

  private long covered(int length) {
    long sum = 0;
    for (int at = 0; at < length; at += stride(latent)) {
      sum += Math.min(latent, length - at);
    }
    return sum;
  }

  private static int stride(int tile) {
    int stride = (int) (tile * (1 - OVERLAP));
    if (stride < 1) {
      throw new IllegalArgumentException("a VAE of tiles this small cannot be tiled: " + tile);
    }
    return stride;
  }

  /** Latents to pictures, {@code [n, c, h, w]}. */
  NdArray decode(NdArray z, UnaryOperator<NdArray> decoder) {
    return tiles(z, latent, picture, decoder);
  }

  /** Pictures to moments, {@code [n, c, h, w]}. */
  NdArray encode(NdArray x, UnaryOperator<NdArray> encoder) {
    return tiles(x, picture, latent, encoder);
  }

  private static NdArray tiles(NdArray in, int tileIn, int tileOut, UnaryOperator<NdArray> model) {
    int stride = stride(tileIn);
    int extent = (int) (tileOut * OVERLAP);
    int kept = tileOut - extent;
    int n = in.size(0);
    List<List<NdArray>> rows = new ArrayList<>(); // what is kept of each tile
    List<NdArray> above = List.of();
    for (int y = 0; y < in.size(2); y += stride) {
      int bottom = Math.min(y + tileIn, in.size(2));
      List<NdArray> row = new ArrayList<>();
      List<NdArray> pieces = new ArrayList<>();
      for (int x = 0; x < in.size(3); x += stride) {
        int right = Math.min(x + tileIn, in.size(3));
        NdArray tile = model.apply(in.box(0, n, y, bottom, x, right));
        if (!above.isEmpty()) {
          blendDown(above.get(row.size()), tile, extent);
        }
        if (!row.isEmpty()) {
          blendRight(row.get(row.size() - 1), tile, extent);
        }
        row.add(tile);
        pieces.add(
            tile.box(0, n, 0, Math.min(kept, tile.size(2)), 0, Math.min(kept, tile.size(3))));
      }
      rows.add(pieces);
      above = row;
    }
    return join(rows);
  }

  /** Fades from the last rows of a tile to the first of the one below, in place. */
  private static void blendDown(NdArray a, NdArray b, int wanted) {
    int extent = Math.min(wanted, Math.min(a.size(2), b.size(2)));
    int width = b.size(3);
    for (int plane = 0; plane < b.size(0) * b.size(1); plane++) {
      for (int y = 0; y < extent; y++) {
        int from = (plane * a.size(2) + a.size(2) - extent + y) * a.size(3);
        int to = (plane * b.size(2) + y) * width;
        for (int x = 0; x < width; x++) {
          b.data()[to + x] = fade(a.data()[from + x], b.data()[to + x], y, extent);
        }
      }
    }
  }

  /** Fades from the last columns of a tile to the first of the one to the right, in place. */
  private static void blendRight(NdArray a, NdArray b, int wanted) {
    int extent = Math.min(wanted, Math.min(a.size(3), b.size(3)));
    for (int line = 0; line < b.size(0) * b.size(1) * b.size(2); line++) {
      int from = line * a.size(3) + a.size(3) - extent;
      int to = line * b.size(3);
      for (int x = 0; x < extent; x++) {
        b.data()[to + x] = fade(a.data()[from + x], b.data()[to + x], x, extent);
      }
    }
  }

  private static float fade(float a, float b, int at, int extent) {
    double share = (double) at / extent;
    return a * (float) (1 - share) + b * (float) share;
  }

  private static NdArray join(List<List<NdArray>> rows) {
    NdArray first = rows.get(0).get(0);
    int height = rows.stream().mapToInt(r -> r.get(0).size(2)).sum();
    int width = rows.get(0).stream().mapToInt(t -> t.size(3)).sum();
    NdArray out = NdArray.zeros(first.size(0), first.size(1), height, width);
    int top = 0;
    for (List<NdArray> row : rows) {
      int left = 0;
      for (NdArray t : row) {
        int lines = t.size(2);
        for (int i = 0; i < t.size(0) * t.size(1) * lines; i++) {
          int to = (i / lines * height + top + i % lines) * width + left;
          System.arraycopy(t.data(), i * t.size(3), out.data(), to, t.size(3));
        }
        left += t.size(3);
      }
      top += row.get(0).size(2);
    }
    return out;
  }
}
