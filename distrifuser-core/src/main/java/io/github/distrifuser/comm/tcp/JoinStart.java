package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.comm.RankEnvironment;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The start of the others: each calls rank 0, learns where the rest is and calls those below. */
final class JoinStart extends Start {
  private static final long RETRY_MS = 200;

  private String lastTrouble = "no attempt was made";
  private @Nullable Channel listener;
  private boolean introduced;
  private boolean ready;

  JoinStart(
      World world,
      RankEnvironment env,
      Map<String, String> fingerprint,
      Duration timeout,
      Connections connections) {
    super(world, env, fingerprint, timeout, connections);
  }

  @Override
  void begin() {
    callMaster();
    after(timeout().toMillis(), this::tooLate);
  }

  private String master() {
    return env().masterAddress() + " port " + env().masterPort();
  }

  private void tooLate() {
    if (done().isDone() || world().isFinishing()) {
      return;
    }
    if (world().has(0)) {
      // Rank 0, which may have started later, says who is missing; if it still can.
      after(timeout().toMillis(), () -> giveUp("get the ranks together"));
    } else {
      giveUp("answer at " + master());
    }
  }

  private void giveUp(String what) {
    if (!done().isDone()) {
      String trouble = world().has(0) ? "" : ": " + lastTrouble;
      world().fail(0, tooLate(List.of(0), what) + trouble, null);
    }
  }

  private void callMaster() {
    if (world().isFinishing()) {
      return;
    }
    // Resolved anew each time: the name may not be known yet.
    connections()
        .connect(
            InetSocketAddress.createUnresolved(env().masterAddress(), env().masterPort()),
            0,
            new Connections.Attempt() {
              @Override
              public void succeeded(Channel channel) {
                join(channel);
              }

              @Override
              public void failed(boolean refused, String why) {
                lastTrouble = why;
                if (refused) {
                  world().fail(world().rank(), refusal(), null);
                } else {
                  after(RETRY_MS, JoinStart.this::callMaster);
                }
              }
            });
  }

  private String refusal() {
    return world().ownName()
        + " and rank 0 at "
        + master()
        + " do not know the same secret: DISTRIFUSER_SECRET, or the run's id or restart count,"
        + " differ";
  }

  private void join(Channel toMaster) {
    Peer master = addPeer(0, toMaster);
    InetSocketAddress own = (InetSocketAddress) toMaster.localAddress();
    connections()
        .listen(own.getAddress(), 0, this::guest)
        .addListener(
            (ChannelFutureListener)
                f -> {
                  if (!f.isSuccess()) {
                    String text = " cannot listen on " + own.getAddress().getHostAddress() + ": ";
                    world()
                        .fail(
                            world().rank(),
                            world().ownName() + text + f.cause().getMessage(),
                            f.cause());
                    return;
                  }
                  listener = f.channel();
                  world().track(f.channel());
                  InetSocketAddress at = (InetSocketAddress) f.channel().localAddress();
                  master.write(hello(at.getAddress().getHostAddress(), at.getPort()));
                });
  }

  private ByteBuf hello(String host, int port) {
    return new Hello(env().rank(), env().worldSize(), host, port, fingerprint()).frame();
  }

  private void guest(Channel channel, FrameReader reader, Hello hello) {
    String wrong = objection(channel, hello, env().rank() + 1);
    if (wrong == null) {
      addPeer(hello.rank(), channel, reader);
      readyIfAllAreThere();
    } else {
      world().fail(hello.rank(), wrong, null);
    }
  }

  @Override
  public boolean frame(Peer from, byte kind, ByteBuf body) {
    if (from.rank() != 0) {
      return false;
    }
    if (kind == Frames.ROSTER && !introduced) {
      introduced = true;
      for (int r = 1; r < env().rank(); r++) {
        call(r, new InetSocketAddress(Frames.text(body), body.readInt()));
      }
      readyIfAllAreThere();
      return true;
    }
    if (kind == Frames.GO && ready && !done().isDone()) {
      complete();
      return true;
    }
    return false;
  }

  private void call(int rank, InetSocketAddress address) {
    connections()
        .connect(
            address,
            rank,
            new Connections.Attempt() {
              @Override
              public void succeeded(Channel channel) {
                Peer peer = addPeer(rank, channel);
                peer.write(hello("", 0));
                readyIfAllAreThere();
              }

              @Override
              public void failed(boolean refused, String why) {
                String text = "rank %d cannot be reached at %s from rank %d: %s";
                world().fail(rank, text.formatted(rank, address, env().rank(), why), null);
              }
            });
  }

  private void readyIfAllAreThere() {
    if (!introduced || ready || !missing(0).isEmpty()) {
      return;
    }
    ready = true;
    if (listener != null) {
      listener.close();
    }
    world().peer(0).write(Frames.control(Frames.READY));
  }
}
