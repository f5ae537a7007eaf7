package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.cuda.standin.Standin;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Ranks that are processes, with stand-ins each. */
final class RankProcesses implements AutoCloseable {
  private final Path folder;
  private final List<Process> ranks = new ArrayList<>();

  RankProcesses(Path folder) {
    this.folder = folder;
  }

  /** Starts ranks of a main class. */
  void start(int size, Class<?> main, String... args) throws IOException {
    Standin.load(); // so that they find the libraries built
    int port;
    try (ServerSocket s = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = s.getLocalPort();
    }
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx500m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    for (String name :
        List.of(
            "distrifuser.testResources",
            "java.library.path",
            "org.bytedeco.javacpp.pathsFirst",
            "org.bytedeco.javacpp.cachedir",
            "org.slf4j.simpleLogger.defaultLogLevel")) {
      command.add("-D" + name + "=" + System.getProperty(name));
    }
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    command.addAll(List.of(args));
    for (int r = 0; r < size; r++) {
      ProcessBuilder b = new ProcessBuilder(command).redirectErrorStream(true);
      b.redirectOutput(output(r).toFile());
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

  /** What a rank has printed. */
  List<String> lines(int rank) throws IOException {
    return Files.readAllLines(output(rank));
  }

  Process rank(int rank) {
    return ranks.get(rank);
  }

  /** Whether a rank ends in time. */
  boolean ends(int rank, int seconds) throws InterruptedException {
    return ranks.get(rank).waitFor(seconds, TimeUnit.SECONDS);
  }

  @Override
  public void close() {
    ranks.forEach(p -> p.destroyForcibly().onExit().join());
  }
}
