package io.github.distrifuser.comm.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.socket.DuplexChannel;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Another rank, as seen from this one: its connection and what is under way. On the event loop. */
final class Peer implements FrameReader.Listener {
  /** What a rank tells another while the world is being set up. */
  @FunctionalInterface
  interface StartListener {
    /** False where such a frame has no place. */
    boolean frame(Peer from, byte kind, ByteBuf body);
  }

  private final World world;
  private final int rank;
  private final Channel channel;
  private final FrameReader reader;
  private final Mailbox mailbox;
  private final ArrayDeque<Outgoing> small = new ArrayDeque<>();
  private final ArrayDeque<Outgoing> large = new ArrayDeque<>();
  private final StartListener start;
  private final Set<Long> leftGroups = new HashSet<>();
  private volatile String note = "";
  private long lastHeard = System.nanoTime();
  private boolean beatUnderWay;
  private boolean pumping;
  private boolean left; // has said goodbye
  private boolean inputEnded;
  private boolean finishing;

  Peer(World world, int rank, Channel channel, FrameReader reader, StartListener start) {
    this.world = world;
    this.rank = rank;
    this.channel = channel;
    this.reader = reader;
    this.mailbox = new Mailbox(world.rank());
    this.start = start;
  }

  int rank() {
    return rank;
  }

  Channel channel() {
    return channel;
  }

  /** What the rank said last of what it does. May be asked by any thread. */
  String note() {
    return note;
  }

  // ---- messages ----

  void post(Receive receive) {
    if (hasLeft(receive.key().group()) && !mailbox.holds(receive.key())) {
      world.fail(rank, leftMessage(), null);
      return;
    }
    complain(mailbox.post(receive));
  }

  private String leftMessage() {
    return name() + " has left: it closed its communicator while others needed it" + lastSeen();
  }

  private boolean hasLeft(long group) {
    return left || leftGroups.contains(group);
  }

  /** Tells the other rank that this one has left a group. */
  void leaveGroup(long group) {
    if (!left) {
      large.add(new Departure(group));
    }
  }

  /** Queues a message of a group; {@link #pump} sets it going. */
  void send(long group, Outgoing message) {
    if (hasLeft(group)) {
      world.fail(rank, leftMessage(), null);
      return;
    }
    (message.isSmall() ? small : large).add(message);
  }

  /** Writes what the connection takes. */
  void pump() {
    if (pumping || finishing) {
      return;
    }
    pumping = true;
    try {
      while (channel.isWritable() && writeSome()) {
        channel.flush();
      }
    } finally {
      pumping = false;
    }
    if (isDrained()) {
      world.drained();
    }
  }

  /** False where there was nothing to write. */
  private boolean writeSome() {
    boolean wrote = false;
    while (channel.isWritable()) {
      Outgoing message = small.poll();
      if (message != null) {
        message.writeNext(channel, this::lost);
      } else if ((message = large.peek()) == null) {
        break;
      } else if (message.writeNext(channel, this::lost)) {
        large.poll();
      }
      wrote = true;
    }
    return wrote;
  }

  /** True where nothing waits to be written. */
  boolean isDrained() {
    return small.isEmpty() && large.isEmpty();
  }

  /** What a work waits for here, or null. */
  @Nullable String missing(TcpWork work) {
    Receive receive = mailbox.pending(r -> r.work() == work);
    if (receive != null) {
      return "nothing came from it (" + receive.operation() + ", " + receive.key() + ")";
    }
    boolean unsent =
        small.stream().anyMatch(m -> m.work() == work)
            || large.stream().anyMatch(m -> m.work() == work)
            || !channel.isWritable();
    return unsent ? "it took nothing of what was sent" : null;
  }

  private void complain(@Nullable String wrong) {
    if (wrong != null) {
      world.fail(rank, name() + " " + wrong + lastSeen(), null);
    }
  }

  // ---- frames ----

  @Override
  public void heard() {
    lastHeard = System.nanoTime();
  }

  @Override
  public @Nullable Incoming begin(MessageKey key, Operation operation, long length) {
    Incoming message = new Incoming(channel.alloc(), key, operation, length);
    complain(mailbox.begin(message));
    return message;
  }

  @Override
  public void control(byte kind, ByteBuf body) {
    switch (kind) {
      case Frames.BEAT -> {} // heard
      case Frames.NOTE -> note = Frames.text(body);
      case Frames.FAIL -> world.fail(body.readInt(), Frames.text(body), null);
      case Frames.GOODBYE -> {
        left = true;
        failWhereNeeded();
      }
      case Frames.LEAVE -> {
        leftGroups.add(body.readLong());
        failWhereNeeded();
      }
      default -> {
        if (!start.frame(this, kind, body)) {
          broken("a frame of kind " + kind + " out of turn");
        }
      }
    }
  }

  /** Nothing comes any more for what is still posted. */
  private void failWhereNeeded() {
    if (mailbox.pending(r -> hasLeft(r.key().group())) != null) {
      world.fail(rank, leftMessage(), null);
    }
  }

  @Override
  public void broken(String what) {
    world.fail(rank, name() + " sent " + what + lastSeen(), null);
  }

  @Override
  public void writable() {
    pump();
  }

  @Override
  public void ended(@Nullable Throwable cause) {
    inputEnded = true;
    if (cause != null && !(cause instanceof IOException)) {
      world.fail(world.rank(), world.ownName() + " failed: " + cause, cause);
    } else if (!left || (!isDrained() && !channel.isActive())) {
      lost();
    } else if (isDrained()) {
      channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
    }
    world.peerEnded();
  }

  private void lost() {
    String how = left ? leftMessage() : name() + " died (connection lost)" + lastSeen();
    world.fail(rank, how, null);
  }

  // ---- life ----

  private String name() {
    return "rank " + rank;
  }

  private String lastSeen() {
    return note.isEmpty() ? "" : "; last seen: " + note;
  }

  String hangs(String how) {
    return name() + " hangs: " + how + lastSeen();
  }

  String late(String what) {
    return name() + " is late: " + what + lastSeen();
  }

  /** Sends a sign of life, unless the last one is still on its way. */
  void beat() {
    if (left || finishing || beatUnderWay) {
      return;
    }
    beatUnderWay = true;
    channel.writeAndFlush(Frames.control(Frames.BEAT)).addListener(f -> beatUnderWay = false);
  }

  void write(ByteBuf control) {
    if (left || finishing) {
      control.release();
    } else {
      channel.writeAndFlush(control, channel.voidPromise());
    }
  }

  /** True where nothing more will come. */
  boolean hasEnded() {
    return inputEnded || !channel.isActive();
  }

  /** Nanoseconds since something came. */
  long silence(long now) {
    return left ? 0 : now - lastHeard;
  }

  void heardAt(long now) {
    lastHeard = now;
  }

  /**
   * The last frame; nothing is sent after it and what still comes is thrown away.
   *
   * @param flushed run when no memory of a message is read any more
   */
  void finish(ByteBuf last, Runnable flushed) {
    finishing = true;
    reader.turnDeaf();
    mailbox.clear();
    small.clear();
    large.clear();
    channel
        .writeAndFlush(last)
        .addListener(
            f -> {
              if (f.isSuccess()) {
                ((DuplexChannel) channel).shutdownOutput();
              } else {
                channel.close();
              }
              flushed.run();
            });
  }
}
