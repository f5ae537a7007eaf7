package io.github.distrifuser.pipelines;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Closes several things, all of them even where one fails. */
final class Closing {
  private Closing() {}

  /** Closes in order, nulls left out; the first failure is thrown with the others suppressed. */
  static void all(List<? extends @Nullable AutoCloseable> parts) {
    RuntimeException first = null;
    for (AutoCloseable part : parts) {
      if (part == null) {
        continue;
      }
      try {
        part.close();
      } catch (Exception e) {
        RuntimeException r = e instanceof RuntimeException x ? x : new IllegalStateException(e);
        if (first == null) {
          first = r;
        } else {
          first.addSuppressed(r);
        }
      }
    }
    if (first != null) {
      throw first;
    }
  }
}
