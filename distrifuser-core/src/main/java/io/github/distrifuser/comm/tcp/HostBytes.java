package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Bytes in the host's memory, in pieces: a tensor's without the gaps between its entries. */
final class HostBytes {
  private static final int LARGEST_PIECE = 1 << 30;

  private final List<ByteBuffer> pieces;
  private final long size;

  private HostBytes(List<ByteBuffer> pieces) {
    this.pieces = pieces;
    this.size = pieces.stream().mapToLong(ByteBuffer::remaining).sum();
  }

  static HostBytes of(ByteBuffer buffer) {
    return new HostBytes(List.of(buffer));
  }

  /**
   * A tensor's memory.
   *
   * @throws IllegalArgumentException where it has gaps within an entry of dimension 0
   * @throws UnsupportedOperationException where it is not in the host's memory
   */
  static HostBytes of(Tensor tensor) {
    if (tensor.shape().rank() > 0 && !tensor.isDenseFrom(1)) {
      throw new IllegalArgumentException(
          "cannot send or receive " + tensor + ": it is not dense from dimension 1");
    }
    boolean dense = tensor.isDense();
    long entries = dense ? 1 : tensor.shape().dim(0);
    long length = dense ? tensor.byteSize() : tensor.byteSize() / Math.max(1, entries);
    long distance = dense ? 0 : tensor.stride(0) * tensor.dtype().bytes();
    List<ByteBuffer> pieces = new ArrayList<>();
    try {
      for (long i = 0; i < entries; i++) {
        long start = tensor.byteOffset() + i * distance;
        for (long at = 0; at < length; at += LARGEST_PIECE) {
          int n = (int) Math.min(LARGEST_PIECE, length - at);
          pieces.add(tensor.storage().buffer(start + at, n));
        }
      }
    } catch (UnsupportedOperationException e) {
      throw new UnsupportedOperationException(
          "cannot send or receive " + tensor + ": it is not in the host's memory", e);
    }
    return new HostBytes(pieces);
  }

  long size() {
    return size;
  }

  /** Bytes {@code [from, to)}. */
  HostBytes range(long from, long to) {
    List<ByteBuffer> part = new ArrayList<>();
    long start = 0;
    for (ByteBuffer p : pieces) {
      long end = start + p.remaining();
      long a = Math.max(from, start);
      long b = Math.min(to, end);
      if (a < b) {
        part.add(p.slice(p.position() + (int) (a - start), (int) (b - a)).order(p.order()));
      }
      start = end;
    }
    return new HostBytes(part);
  }

  Cursor cursor() {
    return new Cursor();
  }

  /** Walks over the bytes. */
  final class Cursor {
    private int piece;
    private int at;
    private long left = size;

    long left() {
      return left;
    }

    /** The next bytes, as many as lie together and at most so many; in the pieces' byte order. */
    ByteBuffer next(int most) {
      ByteBuffer p = pieces.get(piece);
      while (at == p.remaining()) {
        p = pieces.get(++piece);
        at = 0;
      }
      int n = Math.min(most, p.remaining() - at);
      ByteBuffer part = p.slice(p.position() + at, n).order(p.order());
      at += n;
      left -= n;
      return part;
    }
  }
}
