package io.github.distrifuser.comm.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** A message that is arriving: into its receive's memory, or into a pool until that is posted. */
final class Incoming {
  private static final int LARGEST_KEPT = 1 << 20;

  private final ByteBufAllocator allocator;
  private final MessageKey key;
  private final Operation operation;
  private final long length;
  private final ArrayDeque<ByteBuf> kept = new ArrayDeque<>();
  private long left;
  private @Nullable Receive receive;

  Incoming(ByteBufAllocator allocator, MessageKey key, Operation operation, long length) {
    this.allocator = allocator;
    this.key = key;
    this.operation = operation;
    this.length = length;
    this.left = length;
  }

  MessageKey key() {
    return key;
  }

  Operation operation() {
    return operation;
  }

  long length() {
    return length;
  }

  long left() {
    return left;
  }

  /** Sends what has come and what will come to a receive, whose sink has accepted the length. */
  void deliverTo(Receive to) {
    receive = to;
    for (ByteBuf b = kept.poll(); b != null; b = kept.poll()) {
      to.sink().write(b, b.readableBytes());
      b.release();
    }
    endIfAllCame();
  }

  /** Takes the next n bytes. */
  void write(ByteBuf from, int n) {
    left -= n;
    if (receive != null) {
      receive.sink().write(from, n);
    } else {
      keep(from, n);
    }
    endIfAllCame();
  }

  private void keep(ByteBuf from, int n) {
    int more = n;
    while (more > 0) {
      ByteBuf last = kept.peekLast();
      if (last == null || !last.isWritable()) {
        int size = (int) Math.min(LARGEST_KEPT, left + more);
        last = allocator.buffer(size, size);
        kept.add(last);
      }
      int part = Math.min(more, last.writableBytes());
      last.writeBytes(from, part);
      more -= part;
    }
  }

  private void endIfAllCame() {
    if (left == 0 && receive != null) {
      Receive r = receive;
      receive = null;
      r.done().run();
    }
  }

  void release() {
    kept.forEach(ByteBuf::release);
    kept.clear();
  }
}
