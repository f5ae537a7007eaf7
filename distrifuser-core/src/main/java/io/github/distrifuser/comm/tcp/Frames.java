package io.github.distrifuser.comm.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;

/**
 * What goes over a connection once its ends trust each other: frames of a length (4 bytes, of what
 * follows the kind), a kind (1 byte) and a body. Numbers are big-endian; payloads are as they lie
 * in memory.
 */
final class Frames {
  /** Opens a message: group 8, operation 1, collective 1, tag 8, total length 8, payload. */
  static final byte BEGIN = 1;

  /** More payload of the message that the last BEGIN has left unfinished. */
  static final byte MORE = 2;

  /** A sign of life. */
  static final byte BEAT = 3;

  /** What the rank is doing: text. */
  static final byte NOTE = 4;

  /** The world has failed: rank 4, text. */
  static final byte FAIL = 5;

  /** The rank leaves in order; nothing follows. */
  static final byte GOODBYE = 6;

  /** Who has connected: rank 4, world size 4, listener's port 4, host and fingerprint as text. */
  static final byte HELLO = 7;

  /** Rank 0 to all: where each rank listens. */
  static final byte ROSTER = 8;

  /** To rank 0: connected with all. */
  static final byte READY = 9;

  /** Rank 0 to all: all are ready. */
  static final byte GO = 10;

  /** The rank leaves a group: its number 8. */
  static final byte LEAVE = 11;

  static final int PREFIX = 5;
  static final int BEGIN_BODY = 26;

  /** Payload of a frame. */
  static final int CHUNK = 256 << 10;

  /** Messages up to this length travel in one frame, ahead of longer ones. */
  static final int SMALL = 16 << 10;

  /** Body of a frame that is no message. */
  static final int LARGEST_CONTROL = 4 << 20;

  private Frames() {}

  static ByteBuf begin(ByteBuf out, MessageKey key, Operation operation, long total, int payload) {
    return out.writeInt(BEGIN_BODY + payload)
        .writeByte(BEGIN)
        .writeLong(key.group())
        .writeByte(operation.ordinal())
        .writeBoolean(key.collective())
        .writeLong(key.tag())
        .writeLong(total);
  }

  static ByteBuf more(ByteBuf out, int payload) {
    return out.writeInt(payload).writeByte(MORE);
  }

  static ByteBuf control(byte kind, ByteBuf body) {
    ByteBuf out = Unpooled.buffer(PREFIX + body.readableBytes());
    return out.writeInt(body.readableBytes()).writeByte(kind).writeBytes(body);
  }

  static ByteBuf control(byte kind) {
    return control(kind, Unpooled.EMPTY_BUFFER);
  }

  static ByteBuf note(String what) {
    return control(NOTE, text(Unpooled.buffer(), what));
  }

  static ByteBuf fail(int rank, String message) {
    return control(FAIL, text(Unpooled.buffer().writeInt(rank), message));
  }

  static ByteBuf leave(long group) {
    return control(LEAVE, Unpooled.buffer(Long.BYTES).writeLong(group));
  }

  static ByteBuf text(ByteBuf out, String s) {
    byte[] b = s.getBytes(StandardCharsets.UTF_8);
    return out.writeInt(b.length).writeBytes(b);
  }

  /**
   * Reads a text.
   *
   * @throws IndexOutOfBoundsException where the frame is too short for it
   */
  static String text(ByteBuf in) {
    int n = in.readInt();
    if (n < 0 || n > in.readableBytes()) {
      throw new IndexOutOfBoundsException("text of " + n + " bytes in " + in.readableBytes());
    }
    byte[] b = ByteBufUtil.getBytes(in, in.readerIndex(), n);
    in.skipBytes(n);
    return new String(b, StandardCharsets.UTF_8);
  }

  static ByteBuf map(ByteBuf out, Map<String, String> map) {
    out.writeInt(map.size());
    map.forEach(
        (k, v) -> {
          text(out, k);
          text(out, v);
        });
    return out;
  }

  static Map<String, String> map(ByteBuf in) {
    Map<String, String> map = new TreeMap<>();
    int n = in.readInt();
    for (int i = 0; i < n; i++) {
      String key = text(in);
      map.put(key, text(in));
    }
    return map;
  }
}
