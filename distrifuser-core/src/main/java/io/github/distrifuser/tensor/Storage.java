package io.github.distrifuser.tensor;

import java.nio.ByteBuffer;

/**
 * A piece of memory that a backend owns. Closing is idempotent; use after closing throws {@link
 * IllegalStateException}.
 */
public interface Storage extends AutoCloseable {

  /** Size in bytes. */
  long byteSize();

  /**
   * Address of the first byte: of native memory on a CPU, of device memory on a GPU.
   *
   * @throws UnsupportedOperationException where the memory is on the Java heap
   */
  long address();

  /**
   * Host memory in the platform's byte order, shared with this storage.
   *
   * @param offset first byte
   * @param length number of bytes, below 2 GiB
   * @throws UnsupportedOperationException where the memory is not the host's
   */
  ByteBuffer buffer(long offset, int length);

  /** True once closed. */
  boolean isClosed();

  @Override
  void close();
}
