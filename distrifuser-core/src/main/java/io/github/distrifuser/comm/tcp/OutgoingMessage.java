package io.github.distrifuser.comm.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import java.nio.ByteBuffer;

/** A message on its way out. */
final class OutgoingMessage implements Outgoing {
  private final MessageKey key;
  private final Operation operation;
  private final HostBytes.Cursor payload;
  private final long total;
  private final TcpWork work;
  private final Runnable sent;
  private boolean begun;

  /**
   * A message.
   *
   * @param work what it belongs to
   * @param sent run when the payload's memory may be overwritten
   */
  OutgoingMessage(
      MessageKey key, Operation operation, HostBytes payload, TcpWork work, Runnable sent) {
    this.key = key;
    this.operation = operation;
    this.payload = payload.cursor();
    this.total = payload.size();
    this.work = work;
    this.sent = sent;
  }

  @Override
  public boolean isSmall() {
    return total <= Frames.SMALL;
  }

  @Override
  public TcpWork work() {
    return work;
  }

  @Override
  public boolean writeNext(Channel channel, Runnable lost) {
    if (isSmall()) {
      writeCopy(channel);
      return true;
    }
    return writeChunk(channel, lost);
  }

  private void writeCopy(Channel channel) {
    int n = (int) total;
    ByteBuf frame = channel.alloc().ioBuffer(Frames.PREFIX + Frames.BEGIN_BODY + n);
    Frames.begin(frame, key, operation, total, n);
    while (payload.left() > 0) {
      frame.writeBytes(payload.next(n));
    }
    channel.write(frame, channel.voidPromise());
    sent.run();
  }

  /** Straight from the payload's memory. */
  private boolean writeChunk(Channel channel, Runnable lost) {
    ByteBuffer part = payload.next(Frames.CHUNK);
    ByteBuf head = channel.alloc().ioBuffer(Frames.PREFIX + Frames.BEGIN_BODY);
    if (begun) {
      Frames.more(head, part.remaining());
    } else {
      Frames.begin(head, key, operation, total, part.remaining());
    }
    begun = true;
    channel.write(head, channel.voidPromise());
    ByteBuf body = Unpooled.wrappedBuffer(part);
    if (payload.left() > 0) {
      channel.write(body, channel.voidPromise());
      return false;
    }
    channel
        .write(body)
        .addListener(
            f -> {
              if (f.isSuccess()) {
                sent.run();
              } else {
                lost.run();
              }
            });
    return true;
  }
}
