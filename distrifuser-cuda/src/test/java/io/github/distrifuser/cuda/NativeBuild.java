package io.github.distrifuser.cuda;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Builds C and C++ of the tests with the system's compiler ({@code CXX}, else {@code g++}), under
 * target/native. What was built of the same sources with the same options is used again.
 */
public final class NativeBuild {
  private static final Path TOP = Path.of("target", "native").toAbsolutePath();

  private NativeBuild() {}

  /** The test's C++ sources. */
  public static Path sources() {
    return Path.of("src", "test", "cpp").toAbsolutePath();
  }

  /** The compiler's name. */
  public static String compiler() {
    return System.getenv().getOrDefault("CXX", "g++");
  }

  /**
   * Compiles one file at a time and links them.
   *
   * @param name of the file that is made
   * @param units what to compile
   * @param link options of the linker besides the units
   * @param inputs files and folders that the units include
   * @return the file that was made
   */
  public static synchronized Path build(
      String name, List<Unit> units, List<String> link, List<Path> inputs) {
    Path[] made = new Path[1];
    locked(TOP, () -> made[0] = buildAlone(name, units, link, inputs));
    return made[0];
  }

  /** Something that takes files for itself. */
  public interface Task {
    void run() throws IOException;
  }

  /** Runs a task while no other process runs one for this folder. */
  public static synchronized void locked(Path folder, Task task) {
    try {
      Files.createDirectories(folder);
      try (FileChannel file = FileChannel.open(folder.resolve("lock"), CREATE, WRITE)) {
        FileLock lock = file.lock();
        try {
          task.run();
        } finally {
          lock.release();
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(folder.toString(), e);
    }
  }

  private static Path buildAlone(
      String name, List<Unit> units, List<String> link, List<Path> inputs) throws IOException {
    try {
      Path folder = TOP.resolve(key(name, units, link, inputs));
      Path made = folder.resolve(name);
      if (Files.exists(made)) {
        return made;
      }
      Files.createDirectories(folder);
      List<String> line = new ArrayList<>(List.of(compiler()));
      List<Compilation> running = new ArrayList<>();
      for (int i = 0; i < units.size(); i++) {
        String object = folder.resolve(i + ".o").toString();
        running.add(start(units.get(i).command(object)));
        line.add(object);
      }
      for (Compilation c : running) {
        c.await();
      }
      Path unfinished = folder.resolve("unfinished");
      line.addAll(List.of("-o", unfinished.toString()));
      line.addAll(link);
      start(line).await();
      return Files.move(unfinished, made, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new IOException(name + " cannot be built: " + e.getMessage(), e);
    }
  }

  /**
   * One source and how it is compiled.
   *
   * @param options without {@code -c} and {@code -o}
   */
  public record Unit(Path source, List<String> options) {
    List<String> command(String object) {
      List<String> all = new ArrayList<>(List.of(compiler()));
      all.addAll(options);
      all.addAll(List.of("-c", source.toString(), "-o", object));
      return all;
    }
  }

  private record Compilation(List<String> command, Process process, Path log) {
    void await() throws IOException {
      try {
        if (process.waitFor() != 0) {
          throw new AssertionError(String.join(" ", command) + "\n" + Files.readString(log));
        }
      } catch (InterruptedException e) {
        process.destroy();
        throw new IllegalStateException("interrupted while compiling", e);
      }
    }
  }

  private static Compilation start(List<String> command) throws IOException {
    Path log = Files.createTempFile(TOP, "compiler", ".log");
    log.toFile().deleteOnExit();
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    try {
      return new Compilation(command, builder.redirectOutput(log.toFile()).start(), log);
    } catch (IOException e) {
      throw new IOException("-Pcuda-standin needs a C++ compiler: " + e.getMessage(), e);
    }
  }

  private static String key(String name, List<Unit> units, List<String> link, List<Path> inputs)
      throws IOException {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this JVM lacks SHA-256", e);
    }
    digest.update((compiler() + name + units + link).getBytes(StandardCharsets.UTF_8));
    List<Path> files = new ArrayList<>(units.stream().map(Unit::source).toList());
    for (Path input : inputs) {
      try (Stream<Path> tree = Files.walk(input)) {
        tree.filter(Files::isRegularFile).sorted().forEach(files::add);
      }
    }
    for (Path file : files) {
      digest.update(file.toString().getBytes(StandardCharsets.UTF_8));
      digest.update(Files.readAllBytes(file));
    }
    return HexFormat.of().formatHex(digest.digest(), 0, 10);
  }

  /**
   * Runs a program to its end.
   *
   * @return what it printed on either stream
   * @throws AssertionError if it fails, with what it printed
   */
  public static String run(Map<String, String> environment, List<String> command) {
    try {
      ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
      builder.environment().putAll(environment);
      Process process = builder.start();
      process.getOutputStream().close();
      String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      int status = process.waitFor();
      if (status != 0) {
        throw new AssertionError(
            String.join(" ", command) + " ended with " + status + "\n" + printed);
      }
      return printed;
    } catch (IOException e) {
      throw new UncheckedIOException(command.get(0), e);
    } catch (InterruptedException e) {
      throw new IllegalStateException("interrupted while running " + command.get(0), e);
    }
  }
}
