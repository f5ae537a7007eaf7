package io.github.distrifuser.comm.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Proves to each end of a connection that the other knows the secret. Nothing else is read before,
 * and every step has a fixed length.
 *
 * <pre>
 * connector: magic, nonce        listener: nonce
 * connector: proof               listener: 1, proof; or 0 where the connector's is wrong
 * </pre>
 */
final class Handshake extends ChannelInboundHandlerAdapter {
  /** Who is told how it ended; once. */
  interface Outcome {
    /** The other end is a rank of this run. The handler is gone from the pipeline. */
    void trusted(ChannelHandlerContext ctx);

    /**
     * It is not; the connection is closed.
     *
     * @param refused the other end said that it doesn't trust this one
     */
    void failed(ChannelHandlerContext ctx, boolean refused, String why);
  }

  /** Changes with every change of the protocol. */
  private static final byte[] MAGIC = "DFUSE 01".getBytes(StandardCharsets.US_ASCII);

  private static final int LIMIT_S = 10;

  private enum Step {
    OPENING(MAGIC.length + Credentials.NONCE), // read by the listener
    NONCE(Credentials.NONCE), // by the connector
    CONNECTORS_PROOF(Credentials.PROOF), // by the listener
    VERDICT(1), // by the connector
    LISTENERS_PROOF(Credentials.PROOF), // by the connector
    OVER(0);

    private final int length;

    Step(int length) {
      this.length = length;
    }
  }

  private final Credentials credentials;
  private final boolean connector;
  private final int listenerRank;
  private final Outcome outcome;
  private final byte[] ownNonce;
  private byte[] otherNonce = new byte[0];
  private byte[] read;
  private int count;
  private Step step;
  private @Nullable Future<?> limit;

  private Handshake(Credentials credentials, boolean connector, int listenerRank, Outcome outcome) {
    this.credentials = credentials;
    this.connector = connector;
    this.listenerRank = listenerRank;
    this.outcome = outcome;
    this.ownNonce = credentials.nonce();
    this.step = connector ? Step.NONCE : Step.OPENING;
    this.read = new byte[step.length];
  }

  /** For the end that connects, to a rank's listener. */
  static Handshake connector(Credentials credentials, int listenerRank, Outcome outcome) {
    return new Handshake(credentials, true, listenerRank, outcome);
  }

  /** For the end that accepts, of this rank. */
  static Handshake listener(Credentials credentials, int ownRank, Outcome outcome) {
    return new Handshake(credentials, false, ownRank, outcome);
  }

  @Override
  public void channelActive(ChannelHandlerContext ctx) {
    limit =
        ctx.executor()
            .schedule(
                () -> fail(ctx, false, "it was silent for " + LIMIT_S + " s"),
                LIMIT_S,
                TimeUnit.SECONDS);
    if (connector) {
      ctx.writeAndFlush(Unpooled.wrappedBuffer(MAGIC, ownNonce));
    }
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object msg) {
    ByteBuf in = (ByteBuf) msg;
    try {
      while (step != Step.OVER && in.isReadable()) {
        int n = Math.min(in.readableBytes(), read.length - count);
        in.readBytes(read, count, n);
        count += n;
        if (count == read.length) {
          next(ctx);
        }
      }
      // Whoever is trusted waits for an answer before it sends more.
      if (in.isReadable() && ctx.channel().isActive()) {
        ctx.close();
      }
    } finally {
      in.release();
    }
  }

  private void expect(Step next) {
    step = next;
    read = new byte[next.length];
    count = 0;
  }

  private void next(ChannelHandlerContext ctx) {
    switch (step) {
      case OPENING -> {
        if (!Arrays.equals(MAGIC, 0, MAGIC.length, read, 0, MAGIC.length)) {
          fail(ctx, false, "it speaks another language");
          return;
        }
        otherNonce = Arrays.copyOfRange(read, MAGIC.length, read.length);
        ctx.writeAndFlush(Unpooled.wrappedBuffer(ownNonce));
        expect(Step.CONNECTORS_PROOF);
      }
      case NONCE -> {
        otherNonce = read;
        ctx.writeAndFlush(Unpooled.wrappedBuffer(proof(false)));
        expect(Step.VERDICT);
      }
      case CONNECTORS_PROOF -> {
        if (!Credentials.same(read, proof(false))) {
          ctx.writeAndFlush(Unpooled.wrappedBuffer(new byte[] {0}));
          fail(ctx, false, "it does not know the secret of this start of the run");
          return;
        }
        ctx.writeAndFlush(Unpooled.wrappedBuffer(new byte[] {1}, proof(true)));
        succeed(ctx);
      }
      case VERDICT -> {
        if (read[0] != 1) {
          fail(ctx, true, "it refused this rank's secret");
          return;
        }
        expect(Step.LISTENERS_PROOF);
      }
      case LISTENERS_PROOF -> {
        if (!Credentials.same(read, proof(true))) {
          fail(ctx, true, "it does not know this rank's secret");
          return;
        }
        succeed(ctx);
      }
      case OVER -> throw new IllegalStateException("the handshake is over");
    }
  }

  private byte[] proof(boolean byListener) {
    byte[] connectors = connector ? ownNonce : otherNonce;
    byte[] listeners = connector ? otherNonce : ownNonce;
    return credentials.proof(byListener, listenerRank, connectors, listeners);
  }

  private void over() {
    step = Step.OVER;
    if (limit != null) {
      limit.cancel(false);
    }
  }

  private void succeed(ChannelHandlerContext ctx) {
    over();
    outcome.trusted(ctx);
    ctx.pipeline().remove(this);
  }

  private void fail(ChannelHandlerContext ctx, boolean refused, String why) {
    if (step != Step.OVER) {
      over();
      outcome.failed(ctx, refused, why);
      ctx.close();
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    fail(ctx, false, "it closed the connection during the handshake");
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
    if (event instanceof ChannelInputShutdownEvent) {
      fail(ctx, false, "it closed the connection during the handshake");
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    fail(ctx, false, String.valueOf(cause.getMessage()));
  }
}
