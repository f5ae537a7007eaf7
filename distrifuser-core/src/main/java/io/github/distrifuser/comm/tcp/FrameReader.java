package io.github.distrifuser.comm.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Takes a connection's bytes apart into frames; payloads go where they belong as they come. */
final class FrameReader extends ChannelInboundHandlerAdapter {
  /** Who is told. */
  interface Listener {
    /** Bytes came. */
    default void heard() {}

    /** A message begins; null where it is of no interest. */
    @Nullable Incoming begin(MessageKey key, Operation operation, long length);

    /** A frame that is no message; the body is valid during the call. */
    void control(byte kind, ByteBuf body);

    /** Something came that is no frame. Nothing more will be read. */
    void broken(String what);

    /** The connection can take more. */
    default void writable() {}

    /** The other end has ended. Told once or more. */
    void ended(@Nullable Throwable cause);
  }

  private static final Operation[] OPERATIONS = Operation.values();

  private final ByteBuf head = Unpooled.buffer(64);
  private @Nullable Listener listener;
  private int need = Frames.PREFIX;
  private int length;
  private byte kind;
  private int payloadLeft; // of this frame
  private @Nullable Incoming target; // of this frame
  private @Nullable Incoming unfinished; // the message that the next MORE continues
  private long unfinishedLeft; // its bytes that no frame has announced
  private boolean deaf;

  /** Whom to tell from now on; needed before anything comes. */
  void tell(Listener who) {
    listener = who;
  }

  private Listener listener() {
    return Objects.requireNonNull(listener);
  }

  /** Throws away whatever comes from now on. */
  void turnDeaf() {
    deaf = true;
    target = null;
    unfinished = null;
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object msg) {
    ByteBuf in = (ByteBuf) msg;
    try {
      listener().heard();
      while (!deaf && in.isReadable()) {
        if (payloadLeft > 0) {
          payload(in);
        } else {
          header(in);
        }
      }
    } finally {
      in.release();
    }
  }

  private void broken(String what) {
    turnDeaf();
    listener().broken(what);
  }

  private void payload(ByteBuf in) {
    int n = Math.min(in.readableBytes(), payloadLeft);
    payloadLeft -= n;
    if (target != null) {
      target.write(in, n);
    } else {
      in.skipBytes(n);
    }
  }

  private void header(ByteBuf in) {
    head.writeBytes(in, Math.min(need - head.readableBytes(), in.readableBytes()));
    if (head.readableBytes() == need && need == Frames.PREFIX) {
      length = head.getInt(0);
      kind = head.getByte(4);
      if (!readPrefix()) {
        broken("a frame of kind " + kind + " and " + length + " bytes");
        return;
      }
    }
    if (head.readableBytes() < need) {
      return;
    }
    head.skipBytes(Frames.PREFIX);
    switch (kind) {
      case Frames.BEGIN -> begin();
      case Frames.MORE -> more();
      default -> control();
    }
    head.clear();
    need = Frames.PREFIX;
  }

  /** False where there is no such frame. Says how much is needed before it can be looked at. */
  private boolean readPrefix() {
    if (kind == Frames.BEGIN) {
      need = Frames.PREFIX + Frames.BEGIN_BODY;
      return length >= Frames.BEGIN_BODY && length <= Frames.BEGIN_BODY + Frames.CHUNK;
    }
    if (kind == Frames.MORE) {
      return length > 0 && length <= Math.min(Frames.CHUNK, unfinishedLeft);
    }
    need = Frames.PREFIX + length;
    return kind >= Frames.BEAT
        && kind <= Frames.LEAVE
        && length >= 0
        && length <= Frames.LARGEST_CONTROL;
  }

  private void begin() {
    long group = head.readLong();
    int operation = head.readByte();
    boolean collective = head.readBoolean();
    long tag = head.readLong();
    long total = head.readLong();
    int payload = length - Frames.BEGIN_BODY;
    boolean whole = payload == total; // else nothing may be unfinished
    if (operation < 0
        || operation >= OPERATIONS.length
        || payload > total
        || (!whole && (payload == 0 || unfinishedLeft > 0))) {
      broken("a message of " + total + " bytes out of turn");
      return;
    }
    target = listener().begin(new MessageKey(group, collective, tag), OPERATIONS[operation], total);
    payloadLeft = payload;
    if (!whole) {
      unfinished = target;
      unfinishedLeft = total - payload;
    }
  }

  private void more() {
    target = unfinished;
    payloadLeft = length;
    unfinishedLeft -= length;
  }

  private void control() {
    try {
      listener().control(kind, head);
    } catch (IndexOutOfBoundsException e) { // a text longer than its frame
      broken("a frame of kind " + kind + " whose " + length + " bytes are no such thing");
    }
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext ctx) {
    listener().writable();
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
    if (event instanceof ChannelInputShutdownEvent) {
      listener().ended(null);
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    listener().ended(null);
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    listener().ended(cause);
  }
}
