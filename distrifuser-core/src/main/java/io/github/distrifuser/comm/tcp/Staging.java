package io.github.distrifuser.comm.tcp;

import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** Where another rank's numbers wait to be summed. Takes memory when they come. */
final class Staging implements Sink {
  /** Memory that is used again and again. Used on the event loop. */
  static final class Pool {
    /** Size of a piece, in bytes. */
    static final int PIECE = 2 << 20;

    private static final int MOST_KEPT = 16;

    private final ArrayDeque<ByteBuffer> free = new ArrayDeque<>();

    private ByteBuffer take() {
      ByteBuffer piece = free.poll();
      return piece != null
          ? piece
          : ByteBuffer.allocateDirect(PIECE).order(ByteOrder.nativeOrder());
    }

    private void give(ByteBuffer piece) {
      if (free.size() < MOST_KEPT) {
        free.push(piece);
      }
    }
  }

  private final Pool pool;
  private final int size;
  private @Nullable ByteBuffer piece;
  private @Nullable Memory memory;

  /**
   * For so many bytes.
   *
   * @param size at most {@link Pool#PIECE}
   */
  Staging(Pool pool, long size) {
    this.pool = pool;
    this.size = Math.toIntExact(size);
  }

  @Override
  public boolean begin(long length) {
    if (length != size) {
      return false;
    }
    piece = pool.take();
    memory = new Memory(bytes());
    return true;
  }

  /** What has come. */
  HostBytes bytes() {
    if (piece == null) {
      throw new IllegalStateException("nothing has come");
    }
    return HostBytes.of(piece.slice(0, size).order(piece.order()));
  }

  @Override
  public void write(ByteBuf from, int n) {
    if (memory == null) {
      throw new IllegalStateException("nothing has begun");
    }
    memory.write(from, n);
  }

  @Override
  public String expected() {
    return Integer.toString(size);
  }

  /** Gives the memory back. Idempotent. */
  void release() {
    if (piece != null) {
      pool.give(piece);
      piece = null;
      memory = null;
    }
  }
}
