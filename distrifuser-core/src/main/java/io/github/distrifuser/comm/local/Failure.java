package io.github.distrifuser.comm.local;

import io.github.distrifuser.comm.CommException;
import org.jspecify.annotations.Nullable;

/**
 * Why operations fail; each thread that hears of it throws an exception of its own.
 *
 * @param rank the world rank at fault, or -1
 */
record Failure(int rank, String message, @Nullable Throwable cause) {
  Failure(int rank, String message) {
    this(rank, message, null);
  }

  CommException exception() {
    return cause == null
        ? new CommException(rank, message)
        : new CommException(rank, message, cause);
  }
}
