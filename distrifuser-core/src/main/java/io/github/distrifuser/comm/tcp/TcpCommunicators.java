package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.RankEnvironment;
import io.github.distrifuser.comm.SoloCommunicator;
import io.netty.channel.EventLoop;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/** Connects this process with the other ranks of its run. */
public final class TcpCommunicators {
  private static final long END_MS = 2000;

  private TcpCommunicators() {}

  /**
   * Meets the other ranks. Returns when all are connected with all.
   *
   * <p>A rank from which nothing is heard for {@link RankEnvironment#hangAfter}, or whose
   * connection ends before its goodbye, fails the world: all operations under way and all later
   * ones throw a {@link CommException} that names it.
   *
   * @param fingerprint what the ranks must agree on, such as the library's version
   * @param startTimeout how long the others may take to come
   * @return the world; a group of one where the environment says so
   * @throws CommException where a rank doesn't come, comes twice or disagrees, or where rank 0
   *     cannot listen; it names the rank
   * @throws IllegalArgumentException where MASTER_ADDR is no address that ranks can meet at
   */
  public static Communicator connect(
      RankEnvironment env, Map<String, String> fingerprint, Duration startTimeout) {
    if (env.worldSize() == 1) {
      return new SoloCommunicator();
    }
    if (startTimeout.isZero() || startTimeout.isNegative()) {
      throw new IllegalArgumentException("ranks cannot meet within " + startTimeout);
    }
    InetAddress master = env.rank() == 0 ? resolve(env.masterAddress()) : null;
    Transport transport = Transport.choose();
    EventLoop loop = transport.loop(env.rank());
    World world = new World(env, loop);
    Connections connections = new Connections(world, transport, new Credentials(env));
    Map<String, String> all = new TreeMap<>(fingerprint);
    all.put("byte order", ByteOrder.nativeOrder().toString());
    all.put("DISTRIFUSER_HANG_SECONDS", World.inWords(env.hangAfter()));
    Start start =
        master == null
            ? new JoinStart(world, env, all, startTimeout, connections)
            : new MasterStart(world, env, all, startTimeout, connections, master);
    world.run(start::begin);
    await(world, start);
    return TcpCommunicator.of(world);
  }

  private static InetAddress resolve(String host) {
    InetAddress address;
    try {
      address = InetAddress.getByName(host);
    } catch (UnknownHostException e) {
      throw new IllegalArgumentException("MASTER_ADDR '" + host + "' has no address", e);
    }
    if (address.isAnyLocalAddress()) {
      throw new IllegalArgumentException(
          "MASTER_ADDR must be an address at which ranks can reach rank 0, found '" + host + "'");
    }
    return address;
  }

  private static void await(World world, Start start) {
    try {
      CompletableFuture.anyOf(start.done(), world.ended()).get();
    } catch (InterruptedException e) {
      String reason = "it was interrupted while it waited for the other ranks";
      world.abort(reason);
      Thread.currentThread().interrupt();
      throw new CommException(world.rank(), world.ownName() + " failed: " + reason, e);
    } catch (ExecutionException e) {
      throw new IllegalStateException(e); // neither completes so
    }
    Failure failure = world.ended().getNow(null);
    if (failure != null) {
      world.awaitEnd(END_MS);
      throw failure.exception();
    }
  }
}
