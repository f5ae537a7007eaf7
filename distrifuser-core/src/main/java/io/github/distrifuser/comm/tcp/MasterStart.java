package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.comm.RankEnvironment;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import java.net.InetAddress;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Rank 0's start: it waits for all, tells each where the others are, and gives the word. */
final class MasterStart extends Start {
  private static final long GRACE_MS = 5000; // for ranks to come and hear why there is no start

  private final InetAddress address;
  private final Map<Integer, Hello> hellos = new TreeMap<>();
  private final Set<Integer> ready = new HashSet<>();
  private @Nullable Failure objection; // the first
  private @Nullable Channel listener;

  MasterStart(
      World world,
      RankEnvironment env,
      Map<String, String> fingerprint,
      Duration timeout,
      Connections connections,
      InetAddress address) {
    super(world, env, fingerprint, timeout, connections);
    this.address = address;
  }

  @Override
  void begin() {
    int port = env().masterPort();
    connections()
        .listen(address, port, this::guest)
        .addListener(
            (ChannelFutureListener)
                f -> {
                  if (f.isSuccess()) {
                    listener = f.channel();
                    world().track(f.channel());
                  } else {
                    world().fail(0, cannotListen(port, f.cause()), f.cause());
                  }
                });
    after(timeout().toMillis(), this::tooLate);
  }

  private String cannotListen(int port, Throwable cause) {
    return "rank 0 cannot listen on "
        + env().masterAddress()
        + " port "
        + port
        + ": "
        + cause.getMessage()
        + " (MASTER_ADDR must be an address of rank 0's host, MASTER_PORT free there)";
  }

  private void tooLate() {
    if (done().isDone() || world().isFinishing()) {
      return;
    }
    List<Integer> missing = missing(1);
    if (!missing.isEmpty()) {
      world().fail(missing.get(0), tooLate(missing, "come"), null);
      return;
    }
    List<Integer> unready =
        IntStream.range(1, env().worldSize()).filter(r -> !ready.contains(r)).boxed().toList();
    world().fail(unready.get(0), tooLate(unready, "connect with all others"), null);
  }

  private void guest(Channel channel, FrameReader reader, Hello hello) {
    String wrong = objection(channel, hello, 1);
    if (wrong == null) {
      hellos.put(hello.rank(), hello);
      addPeer(hello.rank(), channel, reader);
    } else {
      channel
          .writeAndFlush(Frames.fail(hello.rank(), wrong))
          .addListener(ChannelFutureListener.CLOSE);
      if (objection == null) {
        objection = new Failure(hello.rank(), wrong, null);
        after(GRACE_MS, this::object);
      }
      hellos.putIfAbsent(hello.rank(), hello);
    }
    if (IntStream.range(1, env().worldSize()).allMatch(hellos::containsKey)) {
      if (objection != null) {
        object();
      } else {
        introduce();
      }
    }
  }

  private void object() {
    Failure f = objection;
    if (f != null) {
      world().fail(f.rank(), f.message(), null);
    }
  }

  private void introduce() {
    if (listener != null) {
      listener.close();
    }
    ByteBuf roster = Unpooled.buffer();
    hellos.values().forEach(h -> Frames.text(roster, h.host()).writeInt(h.port()));
    world().peers().forEach(p -> p.write(Frames.control(Frames.ROSTER, roster.duplicate())));
    roster.release();
  }

  @Override
  public boolean frame(Peer from, byte kind, ByteBuf body) {
    if (kind != Frames.READY || !ready.add(from.rank())) {
      return false;
    }
    if (ready.size() == env().worldSize() - 1) {
      world().peers().forEach(p -> p.write(Frames.control(Frames.GO)));
      complete();
    }
    return true;
  }
}
