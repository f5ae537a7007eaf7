package io.github.distrifuser.plan;

import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.BackendProvider;
import io.github.distrifuser.backend.Backends;
import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.weights.StateDict;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.TreeSet;

/**
 * This machine's CPUs, measured: a few steps of the model with random weights, operator by
 * operator, on each number of ranks, and messages over the loopback interface. How long a rank
 * takes to go on after it had to wait is fitted to synchronous steps. All else that exchanging
 * costs is predicted.
 */
public final class Calibration {
  private final LoopbackProbe.Costs messages;
  private final Map<Integer, DeviceModel> byRanks = new HashMap<>();

  private Calibration(LoopbackProbe.Costs messages) {
    this.messages = messages;
  }

  /**
   * Measures for ranks that divide the cores among themselves, as the launcher makes them. Takes as
   * much memory as they do. At most two ranks a core are played; where that is not all, nothing is
   * fitted.
   *
   * @param planner of the generation
   * @param source what messages call the model
   * @param ranks numbers of ranks that will be asked for; one is always among them
   * @throws IllegalArgumentException where the picture cannot be divided so
   * @throws IllegalStateException where no backend computes on CPUs
   * @throws CommException naming the rank that failed
   */
  public static Calibration run(Planner planner, String source, Collection<Integer> ranks) {
    BackendProvider provider = Backends.choose("cpu");
    BackendOptions one = new BackendOptions(planner.workload().dtype(), 1, 0);
    Calibration c = new Calibration(LoopbackProbe.measure(() -> provider.create(one)));
    StateDict weights = StateDict.random(source, 0);
    int cores = Runtime.getRuntime().availableProcessors();
    Set<Integer> all = new TreeSet<>(ranks);
    all.add(1);
    for (int n : all) {
      c.add(planner, n, new PlayedRanks(planner.workload(), provider::create, weights, n, cores));
    }
    return c;
  }

  private void add(Planner planner, int ranks, PlayedRanks played) {
    int side = played.side();
    MeasuredDevice device =
        new MeasuredDevice(
            played.steady(), played.synchronous(), side * played.steadySeconds(), side, messages);
    OptionalDouble exchanging = played.exchangingSeconds();
    byRanks.put(
        ranks,
        exchanging.isPresent()
            ? ResumingDevice.fit(planner, ranks, device, link(), exchanging.getAsDouble())
            : device);
  }

  /** A rank's share of this machine where there are so many. */
  public DeviceModel device(int ranks) {
    DeviceModel d = byRanks.get(ranks);
    if (d == null) {
      throw new IllegalArgumentException(ranks + " ranks were not measured for");
    }
    return d;
  }

  /** Between processes of this machine. What cores do for messages is the devices' time. */
  public LinkModel link() {
    return new LinkModel("loopback", Double.MAX_VALUE, messages.latency() / 2, 0, false);
  }
}
