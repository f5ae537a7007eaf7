package io.github.distrifuser.plan;

import static java.util.stream.Collectors.toSet;

import io.github.distrifuser.tensor.DType;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

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
   * @param others operators of another step, of which only those count that the step has not
   * @param stepSeconds what the step took, operators and all between them
   * @param concurrentRanks ranks that compute at a time as fast as when it was measured
   * @param messages what messages cost
   */
  MeasuredDevice(
      List<OperatorTimer.Sample> samples,
      List<OperatorTimer.Sample> others,
      double stepSeconds,
      double concurrentRanks,
      LoopbackProbe.Costs messages) {
    double sum = samples.stream().mapToDouble(OperatorTimer.Sample::seconds).sum();
    this.fixed = samples.stream().mapToDouble(OperatorTimer.Sample::seconds).min().orElse(0);
    this.between = Math.max(0, stepSeconds - sum) / Math.max(1, samples.size());
    this.concurrentRanks = concurrentRanks;
    this.messages = messages;
    samples.forEach(this::add);
    Set<Amount> known = samples.stream().map(s -> Amount.of(s.operator())).collect(toSet());
    others.stream().filter(s -> !known.contains(Amount.of(s.operator()))).forEach(this::add);
  }

  private void add(OperatorTimer.Sample s) {
    byName.computeIfAbsent(s.operator().name(), k -> new ArrayList<>()).add(s);
    double[] kind = byKind.computeIfAbsent(s.operator().kind(), k -> new double[2]);
    kind[0] += s.seconds() - fixed;
    kind[1] += amount(s.operator());
  }

  /** What an operator does, however many bytes its weights have grown to by being prepared. */
  private record Amount(String name, double amount) {
    static Amount of(Operator o) {
      return new Amount(o.name(), MeasuredDevice.amount(o));
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

  /** Of those with the name that are most like it: one, or the same one of several ranks. */
  private double rate(List<OperatorTimer.Sample> like, Operator o) {
    double least = Double.POSITIVE_INFINITY;
    double seconds = 0;
    double amount = 0;
    for (OperatorTimer.Sample s : like) {
      double size = Math.log(amount(o) + 1) - Math.log(amount(s.operator()) + 1);
      double distance = Math.abs(intensity(o) - intensity(s.operator())) + Math.abs(size) / 4;
      if (distance < least) {
        least = distance;
        seconds = 0;
        amount = 0;
      }
      if (distance == least) {
        seconds += s.seconds() - fixed;
        amount += amount(s.operator());
      }
    }
    return seconds / Math.max(1, amount);
  }

  @Override
  public double seconds(RankEvent.Post p) {
    return messages.seconds(p.messages().size()) + p.bytesReceived() * messages.secondsPerByte();
  }

  /** None: its operators tell nothing of it. */
  @Override
  public double resumeSeconds() {
    return 0;
  }

  @Override
  public double concurrentRanks() {
    return concurrentRanks;
  }
}
