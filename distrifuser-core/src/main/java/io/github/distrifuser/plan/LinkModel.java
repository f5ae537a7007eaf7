package io.github.distrifuser.plan;

/**
 * How long messages take.
 *
 * @param name for tables
 * @param bandwidth bytes a second that one rank sends, and at the same time receives
 * @param latency seconds from the last rank's posting until a small operation of two ranks is done
 * @param latencyPerPeer seconds more for each rank beyond two that takes part
 * @param ordered whether a rank's operations run one after another, as on a GPU's stream
 */
public record LinkModel(
    String name, double bandwidth, double latency, double latencyPerPeer, boolean ordered) {

  public LinkModel {
    if (!(bandwidth > 0) || latency < 0 || latencyPerPeer < 0) {
      throw new IllegalArgumentException(
          name + ": impossible bandwidth " + bandwidth + " or latency " + latency);
    }
  }

  double latency(RankEvent.Post p) {
    return latency + latencyPerPeer * (p.group().size() - 2);
  }

  /** Seconds of a sum by a ring. */
  double reduceSeconds(RankEvent.Post p) {
    return p.bytesSent() / bandwidth;
  }
}
