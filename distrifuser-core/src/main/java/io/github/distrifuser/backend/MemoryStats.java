package io.github.distrifuser.backend;

/**
 * Memory of one backend, in bytes.
 *
 * @param liveBytes held by tensors that are not closed
 * @param peakBytes the most that {@code liveBytes} has been
 * @param liveTensors number of owning tensors that are not closed
 * @param reservedBytes taken from the system, caches included
 * @param graphBytes of {@code reservedBytes}, held by captured steps
 */
public record MemoryStats(
    long liveBytes, long peakBytes, long liveTensors, long reservedBytes, long graphBytes) {

  /** Without captured steps. */
  public MemoryStats(long liveBytes, long peakBytes, long liveTensors, long reservedBytes) {
    this(liveBytes, peakBytes, liveTensors, reservedBytes, 0);
  }
}
