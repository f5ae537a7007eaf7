package io.github.distrifuser.plan;

import java.util.List;

/**
 * What a generation takes on a number of ranks.
 *
 * @param ranks number of ranks
 * @param latency seconds of all steps
 * @param stepSeconds seconds of each step
 * @param perRank what each rank does and needs
 */
public record Prediction(
    int ranks, double latency, List<Double> stepSeconds, List<RankCost> perRank) {

  /**
   * One rank's share.
   *
   * @param waitSecondsPerStep mean over the steps of the time in which it waits for others
   * @param bytesSentPerStep mean over the steps of the payload that it sends
   * @param peakBytes weights of the UNet and the most that tensors take at once
   */
  public record RankCost(double waitSecondsPerStep, double bytesSentPerStep, long peakBytes) {}

  public Prediction {
    stepSeconds = List.copyOf(stepSeconds);
    perRank = List.copyOf(perRank);
  }

  /** Of the rank that waits longest. */
  public double waitSecondsPerStep() {
    return perRank.stream().mapToDouble(RankCost::waitSecondsPerStep).max().orElse(0);
  }

  /** Of the rank that sends most. */
  public double bytesSentPerStep() {
    return perRank.stream().mapToDouble(RankCost::bytesSentPerStep).max().orElse(0);
  }

  /** Of the rank that needs most. */
  public long peakBytes() {
    return perRank.stream().mapToLong(RankCost::peakBytes).max().orElse(0);
  }
}
