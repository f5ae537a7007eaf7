package io.github.distrifuser.plan;

import java.util.List;

/**
 * What one rank does and holds.
 *
 * @param rank its number
 * @param steps its events in the steps that {@link Workload#recordedStep} names
 * @param weightBytes prepared weights of the UNet
 * @param peakActivationBytes the most that tensors take at once, buffers of the exchange included
 */
public record RankRecording(
    int rank, List<List<RankEvent>> steps, long weightBytes, long peakActivationBytes) {

  public RankRecording {
    steps = steps.stream().map(List::copyOf).toList();
  }

  /** Weights and tensors. */
  public long peakBytes() {
    return weightBytes + peakActivationBytes;
  }

  /** Operators of a recorded step. */
  public List<Operator> operators(int step) {
    return steps.get(step).stream()
        .filter(RankEvent.Compute.class::isInstance)
        .map(e -> ((RankEvent.Compute) e).operator())
        .toList();
  }

  /** Payload that the rank sends in a recorded step. */
  public long bytesSent(int step) {
    return steps.get(step).stream()
        .filter(RankEvent.Post.class::isInstance)
        .mapToLong(e -> ((RankEvent.Post) e).bytesSent())
        .sum();
  }
}
