package io.github.distrifuser.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.pipelines.CasesAsProcess;
import io.github.distrifuser.pipelines.PipelineCase;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** All reference cases of 2 and of 4 ranks, with ranks as processes. */
class OneDnnProcessesTest {
  @TempDir Path folder;
  private final List<Process> ranks = new ArrayList<>();

  @AfterEach
  void endAll() throws InterruptedException {
    for (Process p : ranks) {
      p.destroyForcibly().waitFor();
    }
  }

  private void start(int size) throws IOException {
    int port;
    try (ServerSocket s = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = s.getLocalPort();
    }
    String resources = System.getProperty("distrifuser.testResources");
    for (int r = 0; r < size; r++) {
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(List.of("-Xmx200m", "-XX:+UseSerialGC"));
      command.add("-Ddistrifuser.testResources=" + resources);
      command.addAll(List.of("-cp", System.getProperty("java.class.path")));
      command.addAll(List.of(CasesAsProcess.class.getName(), "onednn"));
      ProcessBuilder b =
          new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output(r).toFile());
      b.environment()
          .putAll(
              Map.of(
                  "RANK", "" + r,
                  "WORLD_SIZE", "" + size,
                  "LOCAL_RANK", "" + r,
                  "LOCAL_WORLD_SIZE", "" + size,
                  "MASTER_ADDR", "127.0.0.1",
                  "MASTER_PORT", "" + port,
                  "DISTRIFUSER_SECRET", "of this test"));
      ranks.add(b.start());
    }
  }

  private Path output(int rank) {
    return folder.resolve("rank" + rank);
  }

  @ParameterizedTest
  @CsvSource({"2, 16", "4, 10"})
  void equalTheOriginal(int size, int fewest) throws Exception {
    List<String> expected =
        PipelineCase.names("distributed").stream()
            .filter(n -> PipelineCase.load(n).spec().get("world_size").asInt() == size)
            .map(n -> CasesAsProcess.PASSED + n)
            .toList();
    assertTrue(expected.size() >= fewest, expected.toString());
    start(size);
    for (int r = 0; r < size; r++) {
      assertTrue(ranks.get(r).waitFor(300, TimeUnit.SECONDS), "rank " + r + " has ended");
      List<String> lines = Files.readAllLines(output(r));
      assertEquals(
          expected,
          lines.stream().filter(l -> l.startsWith(CasesAsProcess.PASSED)).toList(),
          () -> "rank " + lines);
      assertEquals(0, ranks.get(r).exitValue(), lines.toString());
    }
  }
}
