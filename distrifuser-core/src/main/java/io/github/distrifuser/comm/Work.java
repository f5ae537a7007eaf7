package io.github.distrifuser.comm;

/** A posted operation. */
public interface Work {

  /** True when all its sends may be overwritten and all its receives are filled. Never blocks. */
  boolean isDone();

  /**
   * Returns when it is done.
   *
   * @throws CommException where a peer failed, the deadline passed or the communicator was aborted
   */
  void await();
}
