package io.github.distrifuser.comm.tcp;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.socket.SocketChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes connections whose ends trust each other. Used on the event loop. */
final class Connections {
  private static final Logger LOG = LoggerFactory.getLogger(Connections.class);
  private static final int MOST_STRANGERS = 64; // at once
  private static final int CONNECT_MS = 5000;
  private static final int HELLO_S = 10;
  private static final WriteBufferWaterMark WATER_MARK =
      new WriteBufferWaterMark(512 << 10, 1 << 20);

  /** Told of a rank that has connected and said who it is. */
  @FunctionalInterface
  interface Guest {
    void came(Channel channel, FrameReader reader, Hello hello);
  }

  /** Told how an attempt to connect ended. */
  interface Attempt {
    void succeeded(Channel channel);

    /**
     * It failed.
     *
     * @param refused the other end answered, and refused this rank's secret
     */
    void failed(boolean refused, String why);
  }

  private final World world;
  private final Transport transport;
  private final Credentials credentials;
  private int strangers;
  private int dropped;
  private String lastDropped = "";

  Connections(World world, Transport transport, Credentials credentials) {
    this.world = world;
    this.transport = transport;
    this.credentials = credentials;
  }

  /** Says how many connections were dropped, or nothing where none was. */
  String droppedNote() {
    return dropped == 0
        ? ""
        : " (" + dropped + " connections were dropped; the last, " + lastDropped + ")";
  }

  private void drop(Channel channel, String why) {
    if (!world.isTracked(channel)) {
      return; // this end has closed it
    }
    dropped++;
    lastDropped = "from " + channel.remoteAddress() + ": " + why;
    LOG.warn("rank {} dropped a connection {}", world.rank(), lastDropped);
    channel.close();
  }

  /** Listens; guests are let in once they have proved that they know the secret. */
  ChannelFuture listen(InetAddress address, int port, Guest guest) {
    return new ServerBootstrap()
        .group(world.loop())
        .channel(transport.serverChannel())
        .option(ChannelOption.SO_REUSEADDR, true)
        .childOption(ChannelOption.TCP_NODELAY, true)
        .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
        .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, WATER_MARK)
        .childHandler(
            new ChannelInitializer<SocketChannel>() {
              @Override
              protected void initChannel(SocketChannel channel) {
                accept(channel, guest);
              }
            })
        .bind(new InetSocketAddress(address, port));
  }

  private void accept(Channel channel, Guest guest) {
    world.track(channel);
    if (strangers >= MOST_STRANGERS) {
      drop(channel, "too many at once");
      return;
    }
    strangers++;
    channel
        .pipeline()
        .addLast(
            Handshake.listener(
                credentials,
                world.rank(),
                new Handshake.Outcome() {
                  @Override
                  public void trusted(ChannelHandlerContext ctx) {
                    strangers--;
                    awaitHello(channel, guest);
                  }

                  @Override
                  public void failed(ChannelHandlerContext ctx, boolean refused, String why) {
                    strangers--;
                    drop(channel, why);
                  }
                }));
  }

  private void awaitHello(Channel channel, Guest guest) {
    Future<?> limit =
        world.loop().schedule(() -> drop(channel, "it said no hello"), HELLO_S, TimeUnit.SECONDS);
    Newcomer newcomer =
        new Newcomer() {
          @Override
          void hello(FrameReader reader, Hello hello) {
            limit.cancel(false);
            guest.came(channel, reader, hello);
          }

          @Override
          void unwanted(String why) {
            if (limit.cancel(false)) {
              drop(channel, why);
            }
          }
        };
    channel.pipeline().addLast(newcomer.reader());
  }

  /** The listener of a connection that has not said who it is. */
  private abstract static class Newcomer implements FrameReader.Listener {
    private final FrameReader reader = new FrameReader();

    FrameReader reader() {
      reader.tell(this);
      return reader;
    }

    abstract void hello(FrameReader reader, Hello hello);

    abstract void unwanted(String why);

    @Override
    public @Nullable Incoming begin(MessageKey key, Operation operation, long length) {
      reader.turnDeaf();
      unwanted("it sent a message before its hello");
      return null;
    }

    @Override
    public void control(byte kind, ByteBuf body) {
      if (kind == Frames.HELLO) {
        hello(reader, Hello.read(body));
      } else {
        reader.turnDeaf();
        unwanted("it did not begin with a hello");
      }
    }

    @Override
    public void broken(String what) {
      unwanted("it sent " + what);
    }

    @Override
    public void ended(@Nullable Throwable cause) {
      unwanted("it closed the connection before its hello");
    }
  }

  /** Connects with a rank's listener and proves that both know the secret. */
  void connect(InetSocketAddress address, int listenerRank, Attempt attempt) {
    new Bootstrap()
        .group(world.loop())
        .channel(transport.channel())
        .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_MS)
        .option(ChannelOption.TCP_NODELAY, true)
        .option(ChannelOption.ALLOW_HALF_CLOSURE, true)
        .option(ChannelOption.WRITE_BUFFER_WATER_MARK, WATER_MARK)
        .handler(
            new ChannelInitializer<SocketChannel>() {
              @Override
              protected void initChannel(SocketChannel channel) {
                world.track(channel);
                channel.pipeline().addLast(handshake(channel, listenerRank, attempt));
              }
            })
        .connect(address)
        .addListener(
            f -> {
              if (f.cause() != null) {
                attempt.failed(false, String.valueOf(f.cause().getMessage()));
              }
            });
  }

  private Handshake handshake(Channel channel, int listenerRank, Attempt attempt) {
    return Handshake.connector(
        credentials,
        listenerRank,
        new Handshake.Outcome() {
          @Override
          public void trusted(ChannelHandlerContext ctx) {
            attempt.succeeded(channel);
          }

          @Override
          public void failed(ChannelHandlerContext ctx, boolean refused, String why) {
            attempt.failed(refused, why);
          }
        });
  }
}
