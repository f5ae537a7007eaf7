package io.github.distrifuser.cuda.kernels;

/** How kernels are told to share their work. All kernels are right with any grid. */
public final class LaunchSizes {
  private static final int PIXELS = 256; // of a part of an image, at least
  private static final int PARTS = 512; // of an image, at most

  private LaunchSizes() {}

  /**
   * Blocks for so many pieces of work of which a block does {@code each} at once: as many as are
   * useful, and not more than a few waves of the device's.
   *
   * @param multiprocessors of the device
   */
  public static int blocks(long work, long each, int multiprocessors) {
    long useful = Math.max(1, (work + each - 1) / each);
    return (int) Math.min(useful, 16L * multiprocessors);
  }

  /** Parts of an image whose moments {@code groupMomentsPartial} takes apart. */
  public static int momentChunks(long pixels) {
    return (int) Math.max(1, Math.min(PARTS, pixels / PIXELS));
  }

  /** Floats of the workspace between groupMomentsPartial and groupMomentsFinish. */
  public static long momentFloats(long batch, long pixels, int groups) {
    return Math.multiplyExact(Math.multiplyExact(batch, momentChunks(pixels)), 3L * groups);
  }

  /** Channels of the values that a block of the attention kernel for this width owns. */
  public static int attentionSlice(int valueWidth) {
    return valueWidth <= 64 ? 64 : valueWidth <= 128 ? 128 : 512;
  }

  /** The attention kernel for this width of values, without the type's suffix. */
  public static String attentionKernel(int valueWidth) {
    return "attention" + attentionSlice(valueWidth);
  }

  /** Blocks that an attention's work falls into. */
  public static long attentionBlocks(long batch, int heads, long queries, int valueWidth) {
    int slice = attentionSlice(valueWidth);
    return batch * heads * ((queries + 63) / 64) * ((valueWidth + slice - 1) / slice);
  }
}
