package io.github.distrifuser.backend;

import io.github.distrifuser.tensor.Tensor;

/**
 * A step that was captured: what was called on the device, with the addresses that it was called
 * with. It reads and writes the same tensors each time that it runs; tensors that were allocated
 * within belong to it.
 */
public interface StepGraph extends AutoCloseable {

  /**
   * Runs the step after what was called before.
   *
   * @return what the captured step returned, with what this run wrote there; it stays the graph's,
   *     and the next run overwrites it
   */
  Tensor replay();

  /** False once it was closed, or its memory was taken back. */
  boolean isOpen();

  /**
   * Whether the backend must keep it when memory is short; at first it must.
   *
   * @param needed false where the step can be captured again
   */
  void keep(boolean needed);

  /** Memory that it holds and shares with other graphs of its backend at most, in bytes. */
  long bytes();

  /** Frees it, once it has run. Idempotent. */
  @Override
  void close();
}
