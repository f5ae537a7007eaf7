package io.github.distrifuser.plan;

import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.RankEnvironment;
import io.github.distrifuser.comm.tcp.TcpCommunicators;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.Map;
import java.util.UUID;

/**
 * Ranks that are threads of this JVM and talk over the loopback interface as processes do.
 *
 * @param size how many
 * @param port where they find each other
 * @param secret that keeps others out
 */
record LoopbackWorld(int size, int port, String secret) {
  private static final Duration START = Duration.ofSeconds(30);

  /** A world of so many, to which each has still to connect. */
  static LoopbackWorld of(int size) {
    return new LoopbackWorld(size, freePort(), UUID.randomUUID().toString());
  }

  private static int freePort() {
    try (ServerSocket s = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return s.getLocalPort();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Returns when all ranks have called it, each from its own thread.
   *
   * @throws CommException naming the rank that did not come, or where the port is taken
   */
  Communicator connect(int rank) {
    RankEnvironment env =
        new RankEnvironment(
            RankEnvironment.Launcher.TORCHRUN,
            rank,
            size,
            rank,
            size,
            InetAddress.getLoopbackAddress().getHostAddress(),
            port,
            "probe",
            secret,
            RankEnvironment.DEFAULT_HANG);
    return TcpCommunicators.connect(env, Map.of(), START);
  }
}
