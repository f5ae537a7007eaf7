package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.comm.Agreement;
import io.github.distrifuser.comm.RankEnvironment;
import io.netty.channel.Channel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** How a rank gets to know the others. Used on the event loop. */
abstract class Start implements Peer.StartListener {
  private final World world;
  private final RankEnvironment env;
  private final Map<String, String> fingerprint;
  private final Duration timeout;
  private final Connections connections;
  private final CompletableFuture<@Nullable Void> done = new CompletableFuture<>();

  Start(
      World world,
      RankEnvironment env,
      Map<String, String> fingerprint,
      Duration timeout,
      Connections connections) {
    this.world = world;
    this.env = env;
    this.fingerprint = fingerprint;
    this.timeout = timeout;
    this.connections = connections;
  }

  World world() {
    return world;
  }

  RankEnvironment env() {
    return env;
  }

  Map<String, String> fingerprint() {
    return fingerprint;
  }

  Duration timeout() {
    return timeout;
  }

  Connections connections() {
    return connections;
  }

  /** Completed when all ranks are connected with all. A start that fails ends the world. */
  CompletableFuture<@Nullable Void> done() {
    return done;
  }

  /** Sets out. */
  abstract void begin();

  /** A rank that this one has called. */
  Peer addPeer(int rank, Channel channel) {
    FrameReader reader = new FrameReader();
    channel.pipeline().addLast(reader);
    return addPeer(rank, channel, reader);
  }

  /** A rank that has called. */
  Peer addPeer(int rank, Channel channel, FrameReader reader) {
    Peer peer = new Peer(world, rank, channel, reader, this);
    reader.tell(peer);
    world.add(peer);
    return peer;
  }

  /** What is wrong with a rank that says hello, or null. */
  @Nullable String objection(Channel channel, Hello hello, int lowest) {
    String name = "rank " + hello.rank();
    if (hello.worldSize() != env.worldSize()) {
      return name
          + " disagrees with rank "
          + env.rank()
          + ": world size "
          + hello.worldSize()
          + " against "
          + env.worldSize();
    }
    if (hello.rank() < lowest || hello.rank() >= env.worldSize()) {
      return name + " came where only ranks " + lowest + " to " + (env.worldSize() - 1) + " can";
    }
    if (world.has(hello.rank())) {
      return name
          + " came twice: from "
          + world.peer(hello.rank()).channel().remoteAddress()
          + " and from "
          + channel.remoteAddress();
    }
    return Agreement.difference(env.rank(), fingerprint, hello.rank(), hello.fingerprint());
  }

  /** Ranks from {@code lowest} on, this one excepted, that are not connected: "rank 2, rank 3". */
  List<Integer> missing(int lowest) {
    List<Integer> missing = new ArrayList<>();
    for (int r = lowest; r < env.worldSize(); r++) {
      if (r != env.rank() && !world.has(r)) {
        missing.add(r);
      }
    }
    return missing;
  }

  /** "rank 2 did not ... within 60 s, nor did rank 3". */
  String tooLate(List<Integer> ranks, String what) {
    StringBuilder text =
        new StringBuilder("rank ")
            .append(ranks.get(0))
            .append(" did not ")
            .append(what)
            .append(" within ")
            .append(World.inWords(timeout));
    for (int r : ranks.subList(1, ranks.size())) {
      text.append(", nor did rank ").append(r);
    }
    return text.append(connections.droppedNote()).toString();
  }

  /** Later, unless the world has ended. */
  void after(long ms, Runnable task) {
    if (world.isFinishing()) {
      return;
    }
    world.loop().schedule(() -> world.guarded(task), ms, TimeUnit.MILLISECONDS);
  }

  void complete() {
    world.start();
    done.complete(null);
  }
}
