package io.github.distrifuser.comm.local;

import io.github.distrifuser.tensor.Storage;
import io.github.distrifuser.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/** A message's bytes where they lie in host memory: runs of equal length, apart from each other. */
final class HostBytes implements Parcel {
  private static final int LONGEST_COPY = 1 << 30;

  private final @Nullable Storage storage;
  private final byte[] array; // where there is no storage
  private final long length;
  private final long offset;
  private final long run;
  private final long stride;

  private HostBytes(
      @Nullable Storage storage, byte[] array, long length, long offset, long run, long stride) {
    this.storage = storage;
    this.array = array;
    this.length = length;
    this.offset = offset;
    this.run = run;
    this.stride = stride;
  }

  /**
   * A tensor's elements.
   *
   * @throws IllegalArgumentException where it has gaps within an entry of dimension 0
   * @throws UnsupportedOperationException where it is not in host memory
   */
  static HostBytes of(Tensor t) {
    if (!t.isDenseFrom(1)) {
      throw new IllegalArgumentException("gaps within dimension 0 of the message " + t);
    }
    long length = t.byteSize();
    boolean whole = length == 0 || t.isDense();
    long run = whole ? length : length / t.shape().dim(0);
    long stride = whole ? length : t.stride(0) * t.dtype().bytes();
    HostBytes b = new HostBytes(t.storage(), new byte[0], length, t.byteOffset(), run, stride);
    try {
      t.storage().buffer(t.byteOffset(), 0);
    } catch (UnsupportedOperationException e) {
      throw new UnsupportedOperationException(
          "ranks that are threads exchange tensors in host memory only, which " + t + " is not", e);
    }
    return b;
  }

  static HostBytes of(byte[] array) {
    return new HostBytes(null, array, array.length, 0, array.length, array.length);
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public void travelTo(Parcel receiver) {
    if (!(receiver instanceof HostBytes target)) {
      throw new IllegalArgumentException(
          "one rank sends host memory, the other receives elsewhere");
    }
    copyTo(target);
  }

  /** Bytes from {@code at} on that lie together, {@code most} at most. */
  ByteBuffer view(long at, int most) {
    long within = at % run;
    int n = (int) Math.min(most, run - within);
    long from = offset + at / run * stride + within;
    ByteBuffer b =
        storage == null ? ByteBuffer.wrap(array, (int) from, n).slice() : storage.buffer(from, n);
    return b.order(ByteOrder.nativeOrder());
  }

  /** Copies all bytes to another's, of the same length. */
  void copyTo(HostBytes target) {
    copyTo(target, LONGEST_COPY);
  }

  /** Copies {@code longest} bytes at a time at most. */
  void copyTo(HostBytes target, int longest) {
    for (long at = 0; at < length; ) {
      ByteBuffer from = view(at, longest);
      ByteBuffer to = target.view(at, from.remaining());
      from.limit(to.remaining());
      at += to.remaining();
      to.put(from);
    }
  }
}
