package io.github.distrifuser.nn;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.weights.StateDict;
import io.github.distrifuser.weights.WeightTensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A model's weights, prepared on first use and kept until closed. Ranks that are threads of one JVM
 * build their layers from one store and so share the weights; a store serves backends of one
 * provider, device and dtype. Thread-safe.
 */
public final class WeightStore implements AutoCloseable {
  private final StateDict dict;
  private final Map<String, PreparedWeight> prepared = new LinkedHashMap<>();
  private boolean closed;

  public WeightStore(StateDict dict) {
    this.dict = dict;
  }

  /** The state dict that the weights come from. */
  public StateDict dict() {
    return dict;
  }

  /** A linear layer {@code name.weight [out, in]}, {@code name.bias [out]}. */
  public PreparedWeight linear(
      Backend backend, String name, long in, long out, boolean bias, long... splits) {
    return once(
        name,
        () ->
            backend.prepareLinear(
                name,
                List.of(dict.get(name + ".weight", out, in)),
                bias ? List.of(dict.get(name + ".bias", out)) : null,
                splits));
  }

  /** Linear layers of one input, {@code parent.part}, stacked along the output. */
  public PreparedWeight stacked(
      Backend backend, String parent, List<String> parts, long in, long out, boolean bias) {
    String key = parent + "." + String.join("+", parts);
    return once(
        key,
        () -> {
          List<WeightTensor> w = new ArrayList<>();
          List<WeightTensor> b = new ArrayList<>();
          for (String p : parts) {
            w.add(dict.get(parent + "." + p + ".weight", out, in));
            if (bias) {
              b.add(dict.get(parent + "." + p + ".bias", out));
            }
          }
          return backend.prepareLinear(key, w, bias ? b : null);
        });
  }

  /** A convolution {@code name.weight [out, in, k, k]}, {@code name.bias [out]}. */
  public PreparedWeight conv2d(Backend backend, String name, long in, long out, int k) {
    return once(
        name,
        () -> {
          WeightTensor w = dict.get(name + ".weight", out, in, k, k);
          WeightTensor b = dict.get(name + ".bias", out);
          return k == 1
              ? backend.prepareLinear(name, List.of(w), List.of(b))
              : backend.prepareConv2d(name, w, b);
        });
  }

  /** A normalisation's {@code name.weight [c]} and {@code name.bias [c]}. */
  public PreparedWeight norm(Backend backend, String name, long channels) {
    return once(
        name,
        () ->
            backend.prepareNorm(
                name, dict.get(name + ".weight", channels), dict.get(name + ".bias", channels)));
  }

  /** An embedding's {@code name.weight [entries, width]}. */
  public PreparedWeight embedding(Backend backend, String name, long entries, long width) {
    return once(
        name, () -> backend.prepareEmbedding(name, dict.get(name + ".weight", entries, width)));
  }

  /** Whatever a layer prepares itself, under a key of its own. */
  public synchronized PreparedWeight once(String key, Supplier<PreparedWeight> make) {
    if (closed) {
      throw new IllegalStateException("the weights of " + key + " are closed");
    }
    @Nullable PreparedWeight w = prepared.get(key);
    if (w == null) {
      w = make.get();
      prepared.put(key, w);
    }
    return w;
  }

  /** Bytes of all prepared weights. */
  public synchronized long bytes() {
    return prepared.values().stream().mapToLong(PreparedWeight::bytes).sum();
  }

  @Override
  public synchronized void close() {
    closed = true;
    prepared.values().forEach(PreparedWeight::close);
    prepared.clear();
  }
}
