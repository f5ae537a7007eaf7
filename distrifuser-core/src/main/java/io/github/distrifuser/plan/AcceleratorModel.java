package io.github.distrifuser.plan;

import io.github.distrifuser.tensor.DType;

/**
 * A device with memory of its own, one a rank. An operator takes a fixed time, and beside it as
 * long as its multiplications or its traffic with memory need, whichever is more. The fixed time is
 * what makes small patches inefficient: starting kernels, filling the device and emptying it again.
 *
 * @param name for tables
 * @param flops multiplications and additions a second at most, of 16-bit numbers
 * @param flops32 the same of float32
 * @param memoryBandwidth bytes a second
 * @param overheads how much of that is reached, and what comes on top
 */
public record AcceleratorModel(
    String name, double flops, double flops32, double memoryBandwidth, Overheads overheads)
    implements DeviceModel {
  /** Between host and device, over PCIe 4 x 16: 31.5 GB/s at most. */
  private static final double HOST_BANDWIDTH = 25e9;

  /**
   * What keeps a device from its data sheet's figures.
   *
   * @param efficiency share of the multiplications a second that large operators reach
   * @param memoryEfficiency share of the memory bandwidth that they reach
   * @param operatorSeconds fixed time of an operator
   * @param postSeconds fixed time that an operation between ranks takes of the device
   * @param receivePasses how often the device reads or writes each byte that it receives, until it
   *     is where the layer wants it
   */
  public record Overheads(
      double efficiency,
      double memoryEfficiency,
      double operatorSeconds,
      double postSeconds,
      double receivePasses) {

    public Overheads {
      positive("efficiency", efficiency);
      positive("memory efficiency", memoryEfficiency);
      if (operatorSeconds < 0 || postSeconds < 0 || receivePasses < 0) {
        throw new IllegalArgumentException("overheads must not be negative");
      }
    }
  }

  public AcceleratorModel {
    positive("flops", flops);
    positive("flops32", flops32);
    positive("memory bandwidth", memoryBandwidth);
  }

  private static void positive(String what, double value) {
    if (!(value > 0)) {
      throw new IllegalArgumentException(what + " must be positive, found " + value);
    }
  }

  @Override
  public double seconds(Operator o, DType dtype) {
    return overheads.operatorSeconds() + variableSeconds(o, dtype);
  }

  private double variableSeconds(Operator o, DType dtype) {
    if (o.kind() == OperatorKind.HOST) {
      return o.bytes() / HOST_BANDWIDTH;
    }
    double peak = dtype == DType.F32 ? flops32 : flops;
    return Math.max(2.0 * o.macs() / (peak * overheads.efficiency()), memorySeconds(o.bytes()));
  }

  private double memorySeconds(double bytes) {
    return bytes / (memoryBandwidth * overheads.memoryEfficiency());
  }

  @Override
  public double seconds(RankEvent.Post p) {
    return overheads.postSeconds() + memorySeconds(overheads.receivePasses() * p.bytesReceived());
  }

  /** None of its own: streams wait on the device. */
  @Override
  public double resumeSeconds() {
    return 0;
  }

  @Override
  public double concurrentRanks() {
    return Double.POSITIVE_INFINITY;
  }

  /** A device that computes and moves {@code factor} times as fast; fixed times stay. */
  AcceleratorModel faster(double factor) {
    return new AcceleratorModel(
        name,
        flops,
        flops32,
        memoryBandwidth,
        new Overheads(
            overheads.efficiency() * factor,
            overheads.memoryEfficiency() * factor,
            overheads.operatorSeconds(),
            overheads.postSeconds(),
            overheads.receivePasses()));
  }
}
