package io.github.distrifuser.plan;

import io.github.distrifuser.tensor.DType;

/**
 * A device that takes a while to go on after it had to wait.
 *
 * @param device all else of it
 * @param resumeSeconds how long
 */
record ResumingDevice(DeviceModel device, double resumeSeconds) implements DeviceModel {
  private static final int HALVINGS = 40;

  /**
   * The device of which ranks that exchange all at once take as long as was measured.
   *
   * @param stepSeconds of such a step on so many ranks
   */
  static ResumingDevice fit(
      Planner planner, int ranks, DeviceModel device, LinkModel link, double stepSeconds) {
    double low = 0;
    double high = stepSeconds; // more than all waiting takes together
    for (int i = 0; i < HALVINGS; i++) {
      double middle = (low + high) / 2;
      ResumingDevice d = new ResumingDevice(device, middle);
      if (planner.synchronousStep(ranks, d, link) > stepSeconds) {
        high = middle;
      } else {
        low = middle;
      }
    }
    boolean waits =
        planner.synchronousStep(ranks, new ResumingDevice(device, stepSeconds), link)
            > planner.synchronousStep(ranks, device, link);
    return new ResumingDevice(device, waits ? low : 0);
  }

  @Override
  public String name() {
    return device.name();
  }

  @Override
  public double seconds(Operator operator, DType dtype) {
    return device.seconds(operator, dtype);
  }

  @Override
  public double seconds(RankEvent.Post post) {
    return device.seconds(post);
  }

  @Override
  public double concurrentRanks() {
    return device.concurrentRanks();
  }
}
