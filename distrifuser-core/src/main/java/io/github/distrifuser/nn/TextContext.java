package io.github.distrifuser.nn;

import io.github.distrifuser.tensor.Tensor;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The prompt's embeddings during a run. Layers keep what they derive from it for as long as the id
 * stays the same; other embeddings are another context.
 *
 * @param states {@code [b, tokens, width]}
 * @param id unique within the JVM
 */
public record TextContext(Tensor states, long id) {
  private static final AtomicLong IDS = new AtomicLong();

  /** A new context, with an id of its own. */
  public static TextContext of(Tensor states) {
    return new TextContext(states, IDS.incrementAndGet());
  }
}
