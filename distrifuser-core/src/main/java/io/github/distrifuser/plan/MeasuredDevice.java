package io.github.distrifuser.plan;

import io.github.distrifuser.tensor.DType;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A device of which operators were timed. A layer's operator takes a fixed time and then as long
 * for each multiplication (or byte, where it multiplies nothing) as the same layer's did when it
 * was timed; one that was not timed as long as the mean of its kind.
 */
final class MeasuredDevice implements DeviceModel {
  private final Map<String, List<OperatorTimer.Sample>> byName = new HashMap<>();
  private final Map<OperatorKind, double[]> byKind = new EnumMap<>(OperatorKind.class);
  private final double fixed;
  private final double between;
  private final double concurrentRanks;
  private final LoopbackProbe.Costs messages;

  /**
   * A device.
   *
   * @param samples operators of a step
   * @param stepSeconds what the step took, operators and all between them
   * @param concurrentRanks ranks that compute at a time as fast as when it was measured
   * @param messages what messages cost
   */
  MeasuredDevice(
      List<OperatorTimer.Sample> samples,
      double stepSeconds,
      double concurrentRanks,
      LoopbackProbe.Costs messages) {
    double sum = samples.stream().mapToDouble(OperatorTimer.Sample::seconds).sum();
    this.fixed = samples.stream().mapToDouble(OperatorTimer.Sample::seconds).min().orElse(0);
    this.between = Math.max(0, stepSeconds - sum) / Math.max(1, samples.size());
    this.concurrentRanks = concurrentRanks;
    this.messages = messages;
    for (OperatorTimer.Sample s : samples) {
      byName.computeIfAbsent(s.operator().name(), k -> new ArrayList<>()).add(s);
      double[] kind = byKind.computeIfAbsent(s.operator().kind(), k -> new double[2]);
      kind[0] += s.seconds() - fixed;
      kind[1] += amount(s.operator());
    }
  }

  private static double amount(Operator o) {
    return o.macs() > 0 ? o.macs() : o.bytes();
  }

  /** How much it multiplies for what it moves. */
  private static double intensity(Operator o) {
    return Math.log1p((double) o.macs() / Math.max(1, o.bytes()));
  }

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public double seconds(Operator o, DType dtype) {
    List<OperatorTimer.Sample> like = byName.get(o.name());
    if (like == null) {
      like = byName.get(o.name().replaceFirst("[\\[#].*$", "")); // a part of a layer
    }
    return between + fixed + amount(o) * (like == null ? rate(o.kind()) : rate(like, o));
  }

  private double rate(OperatorKind kind) {
    double[] k = byKind.get(kind);
    return k == null || k[1] == 0 ? 0 : k[0] / k[1];
  }

  /** Of those with the name, the one that is most like it. */
  private double rate(List<OperatorTimer.Sample> like, Operator o) {
    OperatorTimer.Sample nearest = like.get(0);
    double least = Double.POSITIVE_INFINITY;
    for (OperatorTimer.Sample s : like) {
      double size = Math.log(amount(o) + 1) - Math.log(amount(s.operator()) + 1);
      double distance = Math.abs(intensity(o) - intensity(s.operator())) + Math.abs(size) / 4;
      if (distance < least) {
        least = distance;
        nearest = s;
      }
    }
    return (nearest.seconds() - fixed) / Math.max(1, amount(nearest.operator()));
  }

  @Override
  public double seconds(RankEvent.Post p) {
    return messages.seconds(p.messages().size()) + p.bytesReceived() * messages.secondsPerByte();
  }

  @Override
  public double concurrentRanks() {
    return concurrentRanks;
  }
}
