package io.github.distrifuser.plan;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.IntFunction;

/** Predicts a generation on numbers of ranks. What the ranks do is recorded once and kept. */
public final class Planner {
  private static final int HALVINGS = 60;

  /** A synchronous step that is like all after it. */
  private static final int SYNCHRONOUS_STEP = 2;

  private final Workload workload;
  private final Map<Integer, List<RankRecording>> recordings = new ConcurrentHashMap<>();

  /** Plans for a workload; nothing is recorded yet. */
  public Planner(Workload workload) {
    this.workload = workload;
  }

  Workload workload() {
    return workload;
  }

  /**
   * What each of so many ranks does.
   *
   * @throws IllegalArgumentException where the picture cannot be divided so
   */
  public List<RankRecording> recordings(int ranks) {
    return recordings.computeIfAbsent(ranks, n -> Recorder.record(workload, n));
  }

  /** A generation on like devices, one a rank. */
  public Prediction predict(int ranks, DeviceModel device, LinkModel link) {
    return Simulation.run(workload, recordings(ranks), device, link);
  }

  /**
   * Generations on several numbers of ranks.
   *
   * @param device the model of a rank's device, by the number of ranks
   */
  public List<Prediction> predict(
      List<Integer> ranks, IntFunction<DeviceModel> device, LinkModel link) {
    List<Prediction> all = new ArrayList<>();
    for (int n : ranks) {
      all.add(predict(n, device.apply(n), link));
    }
    return all;
  }

  /** Seconds of a step in which all that is exchanged is waited for, as in warm-up. */
  double synchronousStep(int ranks, DeviceModel device, LinkModel link) {
    Workload synchronous =
        new Workload(
            workload.unet(),
            workload.config().toBuilder().warmupSteps(SYNCHRONOUS_STEP).build(),
            workload.latentFactor(),
            workload.images(),
            workload.dtype(),
            SYNCHRONOUS_STEP + 1);
    return Simulation.run(synchronous, recordings(ranks), device, link)
        .stepSeconds()
        .get(SYNCHRONOUS_STEP);
  }

  /**
   * The device with its efficiency set so that one takes as long as was measured; fixed times stay.
   *
   * @param oneDeviceLatency seconds of all steps on one device
   * @throws IllegalArgumentException where the fixed times alone take longer
   */
  public AcceleratorModel fit(AcceleratorModel device, double oneDeviceLatency) {
    LinkModel none = new LinkModel("none", 1, 0, 0, true);
    double fixed = predict(1, device.faster(1e9), none).latency();
    if (!(oneDeviceLatency > fixed)) {
      throw new IllegalArgumentException(
          "one device takes %.3g s, but starting its operators alone takes %.3g s"
              .formatted(oneDeviceLatency, fixed));
    }
    double low = 1e-6; // too slow
    double high = 1e6; // too fast
    for (int i = 0; i < HALVINGS; i++) {
      double middle = Math.sqrt(low * high);
      if (predict(1, device.faster(middle), none).latency() > oneDeviceLatency) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return device.faster(high);
  }
}
