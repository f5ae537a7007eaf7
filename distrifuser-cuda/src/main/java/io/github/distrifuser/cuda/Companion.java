package io.github.distrifuser.cuda;

/**
 * Whoever works beside the operators' stream, on a stream of its own that waits for the operators
 * and that they wait for: the communication between ranks, which may wait for others for ever.
 */
public interface Companion {
  /**
   * Returns when a point of the operators' stream has been reached.
   *
   * @throws io.github.distrifuser.comm.CommException where what it waits for will not come
   */
  void await(CudaEvent point);

  /**
   * Lets the operators' stream wait for all that this one was given, so that nothing of it is left
   * behind where a capture of the stream ends. Never waits on the host.
   */
  void join();

  /** Forgets what this one was given since a capture of the operators' stream began, and failed. */
  void forget();

  /** Whether what it puts into streams may be captured and run again without the host. */
  boolean isCapturable();
}
