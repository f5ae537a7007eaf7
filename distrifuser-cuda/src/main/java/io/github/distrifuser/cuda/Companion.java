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

  /** A capture of the operators' stream begins, which takes in what this one is given. */
  void beginCapture();

  /**
   * Called at the end of a capture, within it. The operators' stream waits for all that this one
   * was given: nothing may be left behind.
   *
   * @return what the captured work sends each time that it runs
   */
  Traffic endCapture();

  /** The capture failed: forgets what this one was given in it. */
  void abandonCapture();

  /** Captured work runs once more. */
  void sends(Traffic traffic);

  /** Bytes and messages to other ranks. */
  record Traffic(long bytes, long messages) {}

  /** Whether what it puts into streams may be captured and run again without the host. */
  boolean isCapturable();
}
