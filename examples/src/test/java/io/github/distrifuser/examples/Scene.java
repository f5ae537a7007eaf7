package io.github.distrifuser.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Where ranks run and may fail: a folder for temporary files, one for pictures, and a port; all of
 * its processes carry a mark in their environment, by which they are found.
 */
final class Scene {
  private static final String MARK = "SCENE_OF_TEST";
  private static final Duration LEAVING = Duration.ofSeconds(5);

  private final Path folder;
  private final Path temporary;
  private final Path pictures;
  private final int port;

  Scene(Path folder) throws IOException {
    this.folder = folder;
    this.temporary = Files.createDirectory(folder.resolve("tmp"));
    this.pictures = Files.createDirectory(folder.resolve("pictures"));
    try (ServerSocket s = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      this.port = s.getLocalPort();
    }
  }

  static String tinyModel() {
    return Distrirun.resources().resolve("models").resolve("tiny-sdxl").toString();
  }

  int port() {
    return port;
  }

  Path picture() {
    return pictures.resolve("picture.png");
  }

  /** The environment of its processes. */
  Map<String, String> environment() {
    Map<String, String> env = new LinkedHashMap<>();
    env.put(MARK, folder.toString());
    env.put("TMPDIR", temporary.toString());
    env.put("DISTRIFUSER_JAVA_OPTS", String.join(" ", javaOptions()));
    return env;
  }

  /** Temporary files here; a quick start counts for more than quick loops. */
  List<String> javaOptions() {
    return List.of("-Djava.io.tmpdir=" + temporary, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC");
  }

  /** The processes that still run, and what they are. */
  List<String> processes() throws IOException {
    List<String> found = new ArrayList<>();
    try (Stream<Path> all = Files.list(Path.of("/proc"))) {
      for (Path p : all.filter(x -> x.getFileName().toString().matches("\\d+")).toList()) {
        if (text(p.resolve("environ")).contains(MARK + "=" + folder + "\0")) {
          found.add(p.getFileName() + " " + text(p.resolve("cmdline")).replace('\0', ' '));
        }
      }
    }
    return found;
  }

  /** The process that is a rank. */
  Optional<Long> pid(int rank) throws IOException {
    for (String p : processes()) {
      String pid = p.substring(0, p.indexOf(' '));
      if (p.contains("/bin/java ")
          && text(Path.of("/proc", pid, "environ")).contains("\0RANK=" + rank + "\0")) {
        return Optional.of(Long.valueOf(pid));
      }
    }
    return Optional.empty();
  }

  /** Empty where the process is gone, or another user's. */
  private static String text(Path file) {
    try {
      return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
    } catch (IOException e) {
      return "";
    }
  }

  /** No process, port, temporary file or picture is left. */
  void assertNothingIsLeft() throws IOException, InterruptedException {
    assertOnlyPictureIsLeft(List.of());
  }

  /** No process, port or temporary file is left, and these files alone in the pictures' folder. */
  void assertOnlyPictureIsLeft(List<Path> expected) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + LEAVING.toNanos();
    while (!processes().isEmpty() && System.nanoTime() < deadline) {
      Thread.sleep(50);
    }
    assertEquals(List.of(), processes(), "processes");
    assertThrows(
        ConnectException.class,
        () -> new Socket(InetAddress.getLoopbackAddress(), port).close(),
        "something listens on port " + port);
    assertEquals(List.of(), list(temporary), "temporary files");
    assertEquals(expected, list(pictures), "pictures");
  }

  private static List<Path> list(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.sorted().toList();
    }
  }

  /** Seconds since the first fault that a line tells of. */
  static double secondsSinceFault(List<String> lines) {
    Optional<String> mark =
        lines.stream().filter(l -> l.contains(FaultyGeneration.MARK)).findFirst();
    assertTrue(mark.isPresent(), "no fault in " + lines);
    String time = mark.get().replaceFirst(".*" + FaultyGeneration.MARK, "");
    return (System.currentTimeMillis() - Long.parseLong(time)) * 1e-3;
  }
}
