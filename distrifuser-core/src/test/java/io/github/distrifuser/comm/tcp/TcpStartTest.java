package io.github.distrifuser.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.RankEnvironment;
import io.github.distrifuser.comm.RankEnvironment.Launcher;
import io.github.distrifuser.comm.tcp.TcpWorlds.Outcome;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TcpStartTest {
  private static final Duration SHORT = Duration.ofSeconds(2);
  private static final Map<String, String> NOTHING = Map.of();

  private final int port = TcpWorlds.freePort();

  @AfterEach
  void nothingIsLeft() throws IOException {
    assertEquals(List.of(), TcpWorlds.loops());
    try (ServerSocket s = new ServerSocket()) {
      s.setReuseAddress(true);
      s.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    }
  }

  private RankEnvironment rank(int rank, int size) {
    return TcpWorlds.rank(rank, size, port);
  }

  private static List<Outcome<Communicator>> connect(Duration timeout, RankEnvironment... ranks) {
    return TcpWorlds.connect(List.of(ranks), Collections.nCopies(ranks.length, NOTHING), timeout);
  }

  private static CommException failure(Outcome<Communicator> outcome) {
    return assertInstanceOf(CommException.class, outcome.failure());
  }

  private static void assertAllFail(
      List<Outcome<Communicator>> outcomes, int rank, String... parts) {
    for (Outcome<Communicator> o : outcomes) {
      CommException e = failure(o);
      assertEquals(rank, e.rank(), e.getMessage());
      assertTrue(e.getMessage().startsWith("rank " + rank + " "), e.getMessage());
      for (String p : parts) {
        assertTrue(e.getMessage().contains(p), e.getMessage());
      }
    }
  }

  @Test
  void missingRanksAreNamedOnAll() {
    assertAllFail(
        connect(SHORT, rank(0, 4), rank(2, 4)), 1, "did not come within 2 s, nor did rank 3");
  }

  @Test
  void aMissingMasterIsNamed() {
    assertAllFail(
        connect(SHORT, rank(1, 2)), 0, "did not answer at 127.0.0.1 port " + port, "within 2 s");
  }

  @Test
  void aRankThatComesTwiceIsNamed() {
    assertAllFail(
        connect(TcpWorlds.START, rank(0, 3), rank(1, 3), rank(1, 3)), 1, "came twice", "127.0.0.1");
  }

  @Test
  void worldsOfDifferentSizesAreNamed() {
    assertAllFail(
        connect(TcpWorlds.START, rank(0, 2), rank(1, 3)),
        1,
        "disagrees with rank 0: world size 3 against 2");
  }

  @Test
  void differentFingerprintsAreNamedOnAll() {
    List<Outcome<Communicator>> outcomes =
        TcpWorlds.connect(
            List.of(rank(0, 3), rank(1, 3), rank(2, 3)),
            List.of(
                Map.of("model", "34cd", "version", "1"),
                Map.of("model", "34cd", "version", "1"),
                Map.of("model", "12ab", "version", "1")),
            TcpWorlds.START);
    assertAllFail(outcomes, 2, "rank 2 disagrees with rank 0: model 12ab against 34cd");
  }

  @Test
  void aFingerprintThatOneLacksIsNamed() {
    List<Outcome<Communicator>> outcomes =
        TcpWorlds.connect(
            List.of(rank(0, 2), rank(1, 2)),
            List.of(Map.of("lora", "x"), NOTHING),
            TcpWorlds.START);
    assertAllFail(outcomes, 1, "rank 1 disagrees with rank 0: lora (none) against x");
  }

  @Test
  void aPortInUseIsNamed() throws IOException {
    try (ServerSocket taken = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
      assertEquals(port, taken.getLocalPort());
      CommException e =
          assertThrows(
              CommException.class,
              () -> TcpCommunicators.connect(rank(0, 2), NOTHING, TcpWorlds.START));
      assertTrue(
          e.getMessage().startsWith("rank 0 cannot listen on 127.0.0.1 port " + port + ": "),
          e.getMessage());
    }
  }

  @Test
  void anAddressThatIsNoneIsNamed() {
    for (String host : List.of("0.0.0.0", "no such host")) {
      RankEnvironment e =
          new RankEnvironment(Launcher.TORCHRUN, 0, 2, 0, 2, host, port, "", "s", TcpWorlds.HANG);
      String message =
          assertThrows(
                  IllegalArgumentException.class, () -> TcpCommunicators.connect(e, NOTHING, SHORT))
              .getMessage();
      assertTrue(message.contains("MASTER_ADDR") && message.contains(host), message);
    }
  }

  @Test
  void aWrongSecretIsRefusedAndDisturbsNobody() {
    RankEnvironment wrong = TcpWorlds.rank(1, 3, port, "another secret", TcpWorlds.HANG);
    assertStartsDespite(
        () -> {
          CommException e =
              assertThrows(
                  CommException.class,
                  () -> TcpCommunicators.connect(wrong, NOTHING, TcpWorlds.START));
          assertTrue(e.getMessage().contains("do not know the same secret"), e.getMessage());
          return true;
        });
  }

  @Test
  void aRankOfAnEarlierStartIsRefused() {
    RankEnvironment stale =
        new RankEnvironment(
            Launcher.TORCHRUN,
            1,
            3,
            1,
            3,
            "127.0.0.1",
            port,
            "run/-1",
            "the secret",
            TcpWorlds.HANG);
    assertStartsDespite(
        () -> {
          CommException e =
              assertThrows(
                  CommException.class,
                  () -> TcpCommunicators.connect(stale, NOTHING, TcpWorlds.START));
          assertTrue(e.getMessage().contains("restart count"), e.getMessage());
          return true;
        });
  }

  @Test
  void strangersDisturbNobody() {
    byte[] opening = new byte[40];
    System.arraycopy("DFUSE 01".getBytes(StandardCharsets.US_ASCII), 0, opening, 0, 8);
    byte[] hugeFrame = new byte[100];
    hugeFrame[40] = 0x7f; // where a frame's length would be, without a proof
    System.arraycopy(opening, 0, hugeFrame, 0, 40);
    assertStartsDespite(
        () -> {
          talk(
              "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"
                  .getBytes(StandardCharsets.US_ASCII));
          talk(new byte[1 << 20]);
          talk(hugeFrame);
          List<Socket> idle = new ArrayList<>();
          for (int i = 0; i < 10; i++) { // they say nothing, or stop in the middle
            Socket s = dial();
            if (i % 2 == 0) {
              s.getOutputStream().write(opening);
            }
            idle.add(s);
          }
          dial().close();
          return idle.size() == 10;
        });
  }

  /** Rank 0 waits; the stranger has its turn; then the others come. */
  private void assertStartsDespite(Callable<Boolean> stranger) {
    List<Callable<Communicator>> ranks = new ArrayList<>();
    CountDownLatch over = new CountDownLatch(1);
    ranks.add(() -> TcpCommunicators.connect(rank(0, 3), NOTHING, TcpWorlds.START));
    for (int r = 1; r < 3; r++) {
      int rank = r;
      ranks.add(
          () -> {
            over.await();
            return TcpCommunicators.connect(rank(rank, 3), NOTHING, TcpWorlds.START);
          });
    }
    ranks.add(
        () -> {
          try {
            assertTrue(stranger.call());
          } finally {
            over.countDown();
          }
          return null;
        });
    List<Communicator> world = new ArrayList<>();
    for (Outcome<Communicator> o : TcpWorlds.together(ranks)) {
      if (o.failure() != null) {
        throw new AssertionError("a rank failed", o.failure());
      }
      if (o.value() != null) {
        world.add(o.value());
      }
    }
    for (Outcome<List<byte[]>> o :
        TcpWorlds.outcomes(world, c -> c.allGatherBytes(new byte[] {(byte) c.rank()}))) {
      assertArrayEquals(new byte[] {2}, o.value().get(2));
    }
    TcpWorlds.closeAll(world);
  }

  private Socket dial() throws IOException, InterruptedException {
    while (true) {
      Socket s = new Socket();
      try {
        s.connect(new InetSocketAddress("127.0.0.1", port));
        s.setSoTimeout(60_000);
        return s;
      } catch (IOException e) { // rank 0 does not listen yet
        s.close();
        Thread.sleep(20);
      }
    }
  }

  /** Sends bytes and sees the connection end. */
  private void talk(byte[] bytes) throws IOException, InterruptedException {
    try (Socket s = dial()) {
      InputStream in = s.getInputStream();
      assertDoesNotThrow(
          () -> {
            try {
              s.getOutputStream().write(bytes);
              in.readAllBytes();
            } catch (SocketException e) {
              return; // a reset is an end too
            }
          });
    }
  }

  @Test
  void anInterruptedStartEnds() throws InterruptedException {
    List<Throwable> thrown = new ArrayList<>();
    Thread t =
        new Thread(
            () -> {
              try {
                TcpCommunicators.connect(rank(0, 2), NOTHING, TcpWorlds.START);
              } catch (CommException e) {
                thrown.add(e);
              }
            });
    t.start();
    t.interrupt();
    t.join(60_000);
    assertEquals(1, thrown.size());
    assertTrue(thrown.get(0).getMessage().contains("interrupted"), thrown.get(0).getMessage());
  }
}
