package io.github.distrifuser.parallel.tensor;

/**
 * The channels {@code [from, to)} of a layer that one rank computes; none where there are fewer
 * indivisible units than ranks.
 */
record Share(long from, long to) {

  /**
   * The share of one of several ranks; shares differ by one unit at most, the first are larger.
   *
   * @param units number of indivisible runs of channels: heads, groups
   * @param unit channels of each
   */
  static Share of(long units, long unit, int ranks, int index) {
    return new Share(start(units, ranks, index) * unit, start(units, ranks, index + 1) * unit);
  }

  /**
   * The share of channels that may be cut anywhere: in runs of 16, which suit vector units, where
   * that leaves none without.
   */
  static Share ofChannels(long channels, int ranks, int index) {
    long unit = channels % 16 == 0 && channels / 16 >= ranks ? 16 : 1;
    return of(channels / unit, unit, ranks, index);
  }

  private static long start(long units, int ranks, int index) {
    return index * (units / ranks) + Math.min(index, units % ranks);
  }

  long size() {
    return to - from;
  }

  boolean isEmpty() {
    return to == from;
  }
}
