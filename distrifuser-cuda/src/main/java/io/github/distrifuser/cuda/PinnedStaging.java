package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudart.cudaFreeHost;
import static org.bytedeco.cuda.global.cudart.cudaHostAlloc;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Two pieces of page-locked memory through which data goes to the device: one is filled while the
 * other travels.
 */
final class PinnedStaging implements AutoCloseable {
  private static final int BYTES = 8 << 20;

  /** One of the two. */
  private static final class Half implements AutoCloseable {
    private final Pointer memory = new Address();
    private final ByteBuffer bytes;
    private final CudaEvent left = new CudaEvent(); // its last content has left

    Half() {
      CudaErrors.check(cudaHostAlloc(memory, BYTES, 0), "cudaHostAlloc of " + BYTES + " bytes");
      bytes = new BytePointer(memory).capacity(BYTES).asByteBuffer().order(ByteOrder.nativeOrder());
    }

    @Override
    public void close() {
      left.close();
      cudaFreeHost(memory);
    }
  }

  private final Half[] halves = {new Half(), new Half()};
  private int next;

  /** Content of the next piece. */
  interface Filler {
    /**
     * @param target where to put bytes {@code [from, from + target.remaining())}
     */
    void fill(long from, ByteBuffer target);
  }

  /** Sends bytes to the device in the order of a stream; returns before they are there. */
  void send(long bytes, Filler source, long target, CudaStream stream) {
    for (long from = 0; from < bytes; from += BYTES) {
      Half half = halves[next];
      next ^= 1;
      half.left.synchronize();
      int n = (int) Math.min(BYTES, bytes - from);
      source.fill(from, half.bytes.duplicate().order(ByteOrder.nativeOrder()).limit(n));
      stream.upload(half.memory, target + from, n);
      half.left.record(stream);
    }
  }

  /** Takes what a buffer holds from its position on. */
  interface Taker {
    void take(long from, ByteBuffer source);
  }

  /** Fetches bytes from the device, after all that the stream was given; waits for them. */
  void fetch(long source, long bytes, Taker target, CudaStream stream) {
    for (long from = 0; from < bytes; from += BYTES) {
      Half half = halves[next];
      next ^= 1;
      half.left.synchronize();
      int n = (int) Math.min(BYTES, bytes - from);
      stream.download(source + from, half.memory, n);
      stream.synchronize();
      target.take(from, half.bytes.duplicate().order(ByteOrder.nativeOrder()).limit(n));
    }
  }

  @Override
  public void close() {
    for (Half h : halves) {
      h.close();
    }
  }
}
