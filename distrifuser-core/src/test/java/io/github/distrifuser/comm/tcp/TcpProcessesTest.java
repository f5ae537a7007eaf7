package io.github.distrifuser.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** Ranks in JVMs of their own, of which one comes to harm. */
@Timeout(180)
class TcpProcessesTest {
  private static final int RANKS = 3;

  private final List<Process> ranks = new ArrayList<>();
  private final List<BufferedReader> output = new ArrayList<>();

  private void start(String hangSeconds, String... jvmOptions) throws IOException {
    int port = TcpWorlds.freePort();
    String classPath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    for (int r = 0; r < RANKS; r++) {
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(List.of("-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
      command.addAll(List.of(jvmOptions));
      command.addAll(List.of("-cp", classPath, RankProcess.class.getName()));
      ProcessBuilder b = new ProcessBuilder(command);
      b.redirectError(ProcessBuilder.Redirect.INHERIT);
      b.environment()
          .putAll(
              Map.of(
                  "RANK", "" + r,
                  "WORLD_SIZE", "" + RANKS,
                  "LOCAL_RANK", "" + r,
                  "LOCAL_WORLD_SIZE", "" + RANKS,
                  "MASTER_ADDR", "127.0.0.1",
                  "MASTER_PORT", "" + port,
                  "DISTRIFUSER_SECRET", "between us",
                  "DISTRIFUSER_HANG_SECONDS", hangSeconds));
      Process p = b.start();
      ranks.add(p);
      output.add(p.inputReader());
    }
    for (BufferedReader o : output) {
      assertEquals(RankProcess.READY, o.readLine());
    }
  }

  @AfterEach
  void endAll() throws InterruptedException {
    for (Process p : ranks) {
      p.destroyForcibly().waitFor();
    }
  }

  private void assertSurvivorsSay(int victim, String message) throws Exception {
    for (int r = 0; r < RANKS; r++) {
      if (r != victim) {
        String line = output.get(r).readLine();
        assertTrue(line.startsWith(RankProcess.FAILED + message), line);
        assertTrue(ranks.get(r).waitFor(60, TimeUnit.SECONDS), "rank " + r + " did not end");
        assertEquals(0, ranks.get(r).exitValue());
      }
    }
  }

  @Test
  void aRankThatIsKilledIsNamed() throws Exception {
    start("60");
    ranks.get(1).destroyForcibly();
    assertSurvivorsSay(1, "rank 1 died (connection lost); last seen: the first sum");
  }

  @Test
  void aKilledMasterIsNamed() throws Exception {
    start("60", "-Dio.netty.transport.noNative=true");
    ranks.get(0).destroyForcibly();
    assertSurvivorsSay(0, "rank 0 died (connection lost); last seen: the first sum");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aRankThatHangsIsNamed() throws Exception {
    start("2");
    String pid = Long.toString(ranks.get(2).pid());
    assertEquals(0, new ProcessBuilder("kill", "-STOP", pid).start().waitFor());
    assertSurvivorsSay(2, "rank 2 hangs: nothing heard for 2 s; last seen: the first sum");
  }
}
