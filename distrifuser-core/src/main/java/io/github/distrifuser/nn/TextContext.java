package io.github.distrifuser.nn;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;

/** The prompt's embeddings during a run, and what layers derive from them. */
public final class TextContext implements AutoCloseable {
  private final Tensor states; // [b, tokens, width]
  private final Map<Object, Derived> derived = new LinkedHashMap<>();

  private record Derived(Tensor tensor, Consumer<Tensor> maker) {}

  private TextContext(Tensor states) {
    this.states = states;
  }

  /**
   * A context that nothing has been derived from.
   *
   * @param states {@code [b, tokens, width]}; stays the caller's
   */
  public static TextContext of(Tensor states) {
    return new TextContext(states);
  }

  /** The embeddings, {@code [b, tokens, width]}. */
  public Tensor states() {
    return states;
  }

  /**
   * A tensor that a layer derives from the states, made when it is first asked for.
   *
   * @param layer whose it is
   * @param maker fills a tensor of the shape
   */
  Tensor derived(Object layer, Backend backend, Shape shape, Consumer<Tensor> maker) {
    Derived d = derived.get(layer);
    if (d == null) {
      d = new Derived(backend.allocate(backend.dtype(), shape), maker);
      try {
        maker.accept(d.tensor);
      } catch (RuntimeException e) {
        d.tensor.close();
        throw e;
      }
      derived.put(layer, d);
    }
    return d.tensor;
  }

  /** Derives everything again, in place, from states that have changed. */
  public void renew() {
    derived.values().forEach(d -> d.maker.accept(d.tensor));
  }

  /** Frees what was derived. Idempotent. */
  @Override
  public void close() {
    derived.values().forEach(d -> d.tensor.close());
    derived.clear();
  }
}
