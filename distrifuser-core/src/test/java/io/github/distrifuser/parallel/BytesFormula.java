package io.github.distrifuser.parallel;

import io.github.distrifuser.models.unet.UNetConfig;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * The formula of docs/PERFORMANCE.md: bytes that one rank sends in a step, from the configuration
 * of the model and the size alone. Knows nothing of the layers that send.
 */
final class BytesFormula {
  private static final int ELEMENT = Float.BYTES;

  private final UNetConfig unet;
  private final int batch;
  private final int height;
  private final int width;
  private final int patches;
  private final int patch;

  /** Rows that convolutions pass on: those of ours, or as many as the original gathers. */
  private long haloElements;

  private long gatheredHaloElements;
  private long keyValueElements;
  private long norms;

  /**
   * @param batch entries that the rank computes
   * @param patches ranks that share the picture
   * @param patch this rank's number among them
   */
  BytesFormula(UNetConfig unet, int batch, int height, int width, int patches, int patch) {
    this.unet = unet;
    this.batch = batch;
    this.height = height;
    this.width = width;
    this.patches = patches;
    this.patch = patch;
    walk();
  }

  private long columns(int level) {
    return (width + (1L << level) - 1) >> level;
  }

  private long rows(int level) {
    int factor = 1 << (unet.blockOutChannels().size() - 1);
    return PatchRows.even(height, factor, patches).rows(patch, level);
  }

  /** A 3 x 3 convolution whose input has so many channels and columns. */
  private void conv(long channels, long columns) {
    int neighbours = (patch > 0 ? 1 : 0) + (patch < patches - 1 ? 1 : 0);
    haloElements += neighbours * channels * columns;
    gatheredHaloElements += 2L * (patches - 1) * channels * columns;
  }

  /** Of stride two: only the row above a patch is read. */
  private void downsampler(long channels, long columns) {
    haloElements += patch < patches - 1 ? channels * columns : 0;
    gatheredHaloElements += 2L * (patches - 1) * channels * columns;
  }

  private void resnet(long in, long out, int level) {
    norms += 2;
    conv(in, columns(level));
    conv(out, columns(level));
  }

  private void transformer(long channels, int depth, int level) {
    norms++;
    keyValueElements += depth * 2 * channels * rows(level) * columns(level) * (patches - 1);
  }

  private void walk() {
    List<Integer> c = unet.blockOutChannels();
    int levels = c.size();
    Deque<Integer> skips = new ArrayDeque<>(List.of(c.get(0)));
    int channels = c.get(0);
    for (int k = 0; k < levels; k++) {
      for (int i = 0; i < unet.layersPerBlock().get(k); i++) {
        resnet(channels, c.get(k), k);
        channels = c.get(k);
        if (unet.downBlockTypes().get(k).hasCrossAttention()) {
          transformer(channels, unet.transformerLayersPerBlock().get(k), k);
        }
        skips.push(channels);
      }
      if (k < levels - 1) {
        downsampler(channels, columns(k));
        skips.push(channels);
      }
    }
    int deepest = levels - 1;
    resnet(channels, channels, deepest);
    transformer(channels, unet.transformerLayersPerBlock().get(deepest), deepest);
    resnet(channels, channels, deepest);
    for (int k = deepest; k >= 0; k--) {
      for (int i = 0; i <= unet.layersPerBlock().get(k); i++) {
        resnet(channels + skips.pop(), c.get(k), k);
        channels = c.get(k);
        if (unet.upBlockTypes().get(deepest - k).hasCrossAttention()) {
          transformer(channels, unet.upTransformerLayersPerBlock().get(k), k);
        }
      }
      if (k > 0) {
        conv(channels, columns(k - 1));
      }
    }
    norms++;
    conv(channels, columns(0));
  }

  /** Bytes of each kind. */
  Map<ExchangeKind, Long> byKind(int worldSize) {
    Map<ExchangeKind, Long> m = new EnumMap<>(ExchangeKind.class);
    m.put(ExchangeKind.HALO, haloElements * batch * ELEMENT);
    m.put(ExchangeKind.KEY_VALUE, keyValueElements * batch * ELEMENT);
    m.put(ExchangeKind.MOMENTS, norms * batch * unet.normNumGroups() * 2 * 4 * (patches - 1));
    m.put(
        ExchangeKind.PREDICTION,
        batch * rows(0) * width * unet.outChannels() * ELEMENT * (worldSize - 1));
    return m;
  }

  /** What the original sends, which gathers both boundaries of each patch on all ranks. */
  long original(int worldSize) {
    Map<ExchangeKind, Long> m = byKind(worldSize);
    return gatheredHaloElements * batch * ELEMENT
        + m.get(ExchangeKind.KEY_VALUE)
        + m.get(ExchangeKind.MOMENTS)
        + m.get(ExchangeKind.PREDICTION);
  }
}
