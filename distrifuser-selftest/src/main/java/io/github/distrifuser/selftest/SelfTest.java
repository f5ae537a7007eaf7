package io.github.distrifuser.selftest;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.distrifuser.selftest.CaseResult.Status;
import io.github.distrifuser.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import picocli.CommandLine;

/** The main of gpu-selftest; {@code --help} lists the options. */
public final class SelfTest {
  private static final int WRONG = 2;

  private SelfTest() {}

  public static void main(String[] args) {
    System.exit(run(args));
  }

  private static int run(String[] args) {
    Options options = new Options();
    CommandLine line = new CommandLine(options).setOverwrittenOptionsAllowed(true);
    try {
      line.parseArgs(args);
      if (options.help) {
        line.usage(System.out);
        return 0;
      }
      check(options);
    } catch (CommandLine.ParameterException | IllegalArgumentException e) {
      return error(WRONG, e.getMessage());
    }
    try {
      Path work = Files.createTempDirectory("gpu-selftest");
      try {
        return run(options, work);
      } finally {
        delete(work);
      }
    } catch (IOException e) {
      return error(1, e.toString());
    } catch (RuntimeException e) {
      return error(1, String.valueOf(e.getMessage()));
    }
  }

  private static void check(Options options) {
    Path folder = options.report.toAbsolutePath().getParent();
    if (folder == null || !Files.isDirectory(folder)) {
      throw new IllegalArgumentException("--report " + options.report + ": no such folder");
    }
    if (options.silence < 1) {
      throw new IllegalArgumentException("--silence_s must be positive: " + options.silence);
    }
    List<Section> all = Section.all(options.quick, options.benchmarkModel);
    for (String name : options.only) {
      if (all.stream().noneMatch(s -> s.chosen(List.of(name)))) {
        throw new IllegalArgumentException(
            "--only " + name + ": choose from " + all.stream().map(Section::name).toList());
      }
    }
  }

  private static int error(int status, String message) {
    System.err.println("error: " + message.strip().replaceAll("\\s*\\R\\s*", " "));
    return status;
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> tree = Files.walk(folder)) {
      for (Path p : tree.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(p);
      }
    }
  }

  private static int run(Options options, Path work) throws IOException {
    SectionRun look = SectionRun.of(Child.ENVIRONMENT, options, work);
    JsonNode environment = look.result();
    if (environment == null) {
      return error(WRONG, "no usable GPU: looking for one ended with status " + look.status());
    }
    if (environment.has("unavailable")) {
      return error(WRONG, "no usable GPU: " + environment.get("unavailable").asText());
    }
    Report report = new Report(options, environment);
    boolean bf16 = Double.parseDouble(environment.get("computeCapability").asText()) >= 8;
    for (Section s : Section.all(options.quick, options.benchmarkModel)) {
      if (!s.chosen(options.only)) {
        continue;
      }
      if (s.dtype() == DType.BF16 && !bf16) {
        report.leftOut(s.name(), "the device has no bfloat16");
        continue;
      }
      long start = System.nanoTime();
      SectionRun run = SectionRun.of(s.name(), options, work);
      double seconds = (System.nanoTime() - start) / 1e9;
      report.add(s, run, seconds);
      System.out.printf(
          Locale.ROOT,
          "%-22s %s in %.1f s%n",
          s.name(),
          run.count(Status.FAILED) > 0
              ? run.count(Status.FAILED) + " FAILED, " + run.count(Status.PASSED) + " passed"
              : s.suite() == null ? "done" : run.count(Status.PASSED) + " passed",
          seconds);
    }
    System.out.println();
    System.out.print(report.text());
    report.write();
    return report.passed() ? 0 : 1;
  }
}
