package io.github.distrifuser.comm;

/** A posted operation. */
public interface Work {

  /** True when all its sends may be overwritten and all its receives are filled. Never blocks. */
  boolean isDone();

  /**
   * {@link System#nanoTime()} of the moment in which it was done. Only for what is done.
   *
   * @throws IllegalStateException where it is not
   */
  long doneNanos();

  /**
   * Returns when it is done.
   *
   * @throws CommException where a peer failed, the deadline passed or the communicator was aborted
   */
  void await();
}
