package io.github.distrifuser.examples;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Runs scripts/distrirun on this JVM's class path, with its output in two files of a folder.
 *
 * @param folder of this run alone
 */
record Distrirun(Path folder) {

  private static final Path SCRIPT = resources().resolveSibling("scripts").resolve("distrirun");

  /** How a run ended and what it wrote. */
  record Result(int status, List<String> out, List<String> err) {
    List<String> errors() {
      return err.stream().filter(line -> line.matches("(\\[rank \\d+] )?error: .*")).toList();
    }
  }

  /** The folder src-test-resources. */
  static Path resources() {
    return Path.of(System.getProperty("distrifuser.testResources"));
  }

  static Path script() {
    return SCRIPT;
  }

  File outFile() {
    return folder.resolve("out").toFile();
  }

  File errFile() {
    return folder.resolve("err").toFile();
  }

  Process start(Map<String, String> environment, List<String> args) throws IOException {
    List<String> command = new ArrayList<>(List.of("bash", SCRIPT.toString()));
    command.addAll(args);
    return builder(environment, command).start();
  }

  ProcessBuilder builder(Map<String, String> environment, List<String> command) {
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectOutput(outFile()).redirectError(errFile());
    Map<String, String> all = builder.environment();
    all.keySet().removeIf(name -> name.startsWith("DISTRIFUSER_"));
    all.put("JAVA_HOME", System.getProperty("java.home"));
    all.put("DISTRIFUSER_CLASSPATH", System.getProperty("java.class.path"));
    all.put("DISTRIFUSER_GRACE", "1");
    all.putAll(environment);
    return builder;
  }

  Result finish(Process process) throws IOException, InterruptedException {
    assertTrue(process.waitFor(120, TimeUnit.SECONDS), "the launcher has ended");
    return new Result(
        process.exitValue(),
        Files.readAllLines(outFile().toPath()),
        Files.readAllLines(errFile().toPath()));
  }

  Result run(Map<String, String> environment, List<String> args)
      throws IOException, InterruptedException {
    return finish(start(environment, args));
  }

  /** Arguments separated by white space. */
  Result run(String args) throws IOException, InterruptedException {
    return run(Map.of(), Arrays.asList(args.split("\\s+")));
  }
}
