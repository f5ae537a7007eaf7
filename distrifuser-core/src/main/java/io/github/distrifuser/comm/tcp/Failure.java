package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.comm.CommException;
import org.jspecify.annotations.Nullable;

/**
 * Why a world has ended.
 *
 * @param rank the rank at fault, or -1
 */
record Failure(int rank, String message, @Nullable Throwable cause) {
  /** For one caller: its stack trace shows where that one was. */
  CommException exception() {
    return cause == null
        ? new CommException(rank, message)
        : new CommException(rank, message, cause);
  }
}
