package io.github.distrifuser.parallel.tensor;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.nn.WeightStore;
import io.github.distrifuser.weights.StateDict;
import io.github.distrifuser.weights.WeightSlices;
import io.github.distrifuser.weights.WeightTensor;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Prepares one rank's shares of weights, and keeps them in the store beside the other ranks'. */
final class ShardedWeights {
  private final Backend backend;
  private final WeightStore store;
  private final StateDict dict;
  private final ShardGroup group;

  ShardedWeights(Backend backend, WeightStore store, ShardGroup group) {
    this.backend = backend;
    this.store = store;
    this.dict = store.dict();
    this.group = group;
  }

  /** The share's outputs of linear layers without bias, stacked: {@code [parts * share, in]}. */
  PreparedWeight stackedRows(String parent, List<String> parts, long in, long out, Share s) {
    String key = group.key(parent + "." + String.join("+", parts));
    return store.once(
        key,
        () -> {
          List<WeightTensor> w = new ArrayList<>();
          for (String p : parts) {
            w.add(rows(parent + "." + p + ".weight", s, out, in));
          }
          return backend.prepareLinear(key, w, null);
        });
  }

  /** The share's outputs of a linear layer: {@code [share, in]} with its part of the bias. */
  PreparedWeight linearRows(String name, long in, long out, Share s) {
    String key = group.key(name);
    return store.once(
        key,
        () ->
            backend.prepareLinear(
                key,
                List.of(rows(name + ".weight", s, out, in)),
                List.of(rows(name + ".bias", s, out))));
  }

  /**
   * The share's value rows and gate rows of a GEGLU projection: {@code [2 share, in]}, split at the
   * half.
   */
  PreparedWeight gegluRows(String name, long in, long inner, Share s) {
    String key = group.key(name);
    return store.once(
        key,
        () -> {
          WeightTensor w = dict.get(name + ".weight", 2 * inner, in);
          WeightTensor b = dict.get(name + ".bias", 2 * inner);
          return backend.prepareLinear(
              key,
              List.of(
                  WeightSlices.rows(w, s.from(), s.to()),
                  WeightSlices.rows(w, inner + s.from(), inner + s.to())),
              List.of(
                  WeightSlices.rows(b, s.from(), s.to()),
                  WeightSlices.rows(b, inner + s.from(), inner + s.to())));
        });
  }

  /** The share's inputs of a linear layer: {@code [out, share]}; the first rank has the bias. */
  PreparedWeight linearColumns(String name, long in, long out, Share s) {
    String key = group.key(name);
    return store.once(
        key,
        () -> {
          WeightTensor w = dict.get(name + ".weight", out, in);
          WeightTensor b = firstBias(name, out);
          return backend.prepareLinear(
              key,
              List.of(WeightSlices.columns(w, s.from(), s.to())),
              b == null ? null : List.of(b));
        });
  }

  /** The share's outputs of a convolution: {@code [share, in, k, k]} with its part of the bias. */
  PreparedWeight convRows(String name, long in, long out, int k, Share s) {
    String key = group.key(name);
    return store.once(
        key,
        () ->
            backend.prepareConv2d(
                key, rows(name + ".weight", s, out, in, k, k), rows(name + ".bias", s, out)));
  }

  /** The share's inputs of a convolution: {@code [out, share, k, k]}; the first has the bias. */
  PreparedWeight convColumns(String name, long in, long out, int k, Share s) {
    String key = group.key(name);
    return store.once(
        key,
        () -> {
          WeightTensor w = dict.get(name + ".weight", out, in, k, k);
          return backend.prepareConv2d(
              key, WeightSlices.columns(w, s.from(), s.to()), firstBias(name, out));
        });
  }

  /** The share's channels of a normalisation. */
  PreparedWeight norm(String name, long channels, Share s) {
    String key = group.key(name);
    return store.once(
        key,
        () ->
            backend.prepareNorm(
                key, rows(name + ".weight", s, channels), rows(name + ".bias", s, channels)));
  }

  private WeightTensor rows(String tensor, Share s, long... shape) {
    return WeightSlices.rows(dict.get(tensor, shape), s.from(), s.to());
  }

  /** A bias that is added once, by the first rank. */
  private @Nullable WeightTensor firstBias(String name, long out) {
    return group.isFirst() ? dict.get(name + ".bias", out) : null;
  }
}
