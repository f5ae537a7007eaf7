package io.github.distrifuser.comm.tcp;

import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;

/** Where a message's payload goes. */
interface Sink {

  /** Told the length before the first byte; false refuses it. */
  boolean begin(long length);

  /** Takes the next n bytes of a buffer. */
  void write(ByteBuf from, int n);

  /** What {@link #begin} accepts, for messages. */
  String expected();

  /** Memory of a known length. */
  final class Memory implements Sink {
    private final HostBytes bytes;
    private final HostBytes.Cursor cursor;

    Memory(HostBytes bytes) {
      this.bytes = bytes;
      this.cursor = bytes.cursor();
    }

    @Override
    public boolean begin(long length) {
      return length == bytes.size();
    }

    @Override
    public void write(ByteBuf from, int n) {
      int left = n;
      while (left > 0) {
        ByteBuffer to = cursor.next(left);
        left -= to.remaining();
        from.readBytes(to);
      }
    }

    @Override
    public String expected() {
      return Long.toString(bytes.size());
    }
  }

  /** An array as long as what comes. */
  final class Array implements Sink {
    private static final int LONGEST = Integer.MAX_VALUE - 8;

    private byte[] bytes = new byte[0];
    private int at;

    @Override
    public boolean begin(long length) {
      if (length > LONGEST) {
        return false;
      }
      bytes = new byte[(int) length];
      return true;
    }

    @Override
    public void write(ByteBuf from, int n) {
      from.readBytes(bytes, at, n);
      at += n;
    }

    @Override
    public String expected() {
      return "at most " + LONGEST;
    }

    byte[] bytes() {
      return bytes;
    }
  }
}
