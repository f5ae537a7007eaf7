package io.github.distrifuser.parallel;

import io.github.distrifuser.comm.CommException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What went wrong on which of several ranks, and which of it to tell. */
public final class RankFailures {
  private final int ranks;
  private final List<Failure> failures = new ArrayList<>();

  private record Failure(int rank, Throwable cause) {
    boolean isEcho() {
      return cause instanceof CommException;
    }
  }

  /** Of so many ranks; nothing has gone wrong yet. */
  public RankFailures(int ranks) {
    this.ranks = ranks;
  }

  /** A rank has failed. */
  public void add(int rank, Throwable cause) {
    failures.add(new Failure(rank, cause));
  }

  boolean any() {
    return !failures.isEmpty();
  }

  /**
   * Throws what began it, if anything did: as it is where all ranks say the same, as after a wrong
   * argument, else named by its rank. What ranks say of each other counts least.
   *
   * @param doing what the ranks were doing
   * @throws CommException naming the rank
   */
  public void rethrow(String doing) {
    Failure first = first();
    if (first == null) {
      return;
    }
    Throwable cause = first.cause;
    if (cause instanceof RuntimeException r && (first.isEcho() || allAlike())) {
      throw r;
    }
    CommException named =
        new CommException(
            first.rank, "rank " + first.rank + " failed in " + doing + ": " + reason(cause), cause);
    for (Failure f : failures) {
      if (f != first && !f.isEcho()) {
        named.addSuppressed(f.cause);
      }
    }
    throw named;
  }

  private @Nullable Failure first() {
    for (Failure f : failures) {
      if (!f.isEcho()) {
        return f;
      }
    }
    return any() ? failures.get(0) : null;
  }

  /** Whether every rank that speaks for itself says the same. */
  private boolean allAlike() {
    List<Failure> own = failures.stream().filter(f -> !f.isEcho()).toList();
    return failures.size() == ranks
        && own.stream()
            .allMatch(
                f ->
                    f.cause.getClass() == own.get(0).cause.getClass()
                        && Objects.equals(f.cause.getMessage(), own.get(0).cause.getMessage()))
        && (own.size() == ranks || own.get(0).cause instanceof IllegalArgumentException);
  }

  private static String reason(Throwable t) {
    String m = t.getMessage();
    if (t instanceof OutOfMemoryError) {
      return "out of memory: " + m;
    }
    return m == null ? t.getClass().getName() : m;
  }
}
