package io.github.distrifuser.pipelines;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.Device;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.weights.StateDict;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A model's weights, once for each device that computes with them. Thread-safe. */
final class DeviceWeights implements AutoCloseable {
  private final StateDict dict;
  private final Map<Device, WeightStore> stores = new HashMap<>();

  DeviceWeights(StateDict dict) {
    this.dict = dict;
  }

  /** The weights on a backend's device. */
  synchronized WeightStore of(Backend backend) {
    return stores.computeIfAbsent(backend.device(), d -> new WeightStore(dict));
  }

  @Override
  public synchronized void close() {
    List<AutoCloseable> all = new ArrayList<>(stores.values());
    stores.clear();
    Closing.all(all);
  }
}
