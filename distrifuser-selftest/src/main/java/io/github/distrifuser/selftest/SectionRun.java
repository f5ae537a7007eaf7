package io.github.distrifuser.selftest;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.github.distrifuser.selftest.CaseResult.Status;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A section under way: processes one after another, of which each goes on where the one before
 * died, was lost or fell silent. The case that it had started counts as failed.
 */
final class SectionRun {
  /** Processes that a section may use up. */
  private static final int MOST_PROCESSES = 40;

  /** How the properties begin that a section's process gets from this one. */
  private static final List<String> HANDED_ON =
      List.of("distrifuser.", "org.bytedeco.", "org.slf4j.", "DJL_", "jna.", "java.library.path");

  private static final long LOOK_MS = 200;
  private static final int TAIL_LINES = 15;

  private final String section;
  private final Options options;
  private final Path work;
  private final List<CaseResult> cases = new ArrayList<>();
  private final Map<String, String> facts = new LinkedHashMap<>();
  private @Nullable JsonNode result;
  private int status;

  private SectionRun(String section, Options options, Path work) {
    this.section = section;
    this.options = options;
    this.work = work;
  }

  /** Runs a section to its end. */
  static SectionRun of(String section, Options options, Path work) {
    SectionRun run = new SectionRun(section, options, work);
    try {
      int started = 0;
      while (run.process(started)) {
        started++;
        if (started == MOST_PROCESSES) {
          run.fail("other cases", "were not run: " + MOST_PROCESSES + " processes have ended");
          break;
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(work.toString(), e);
    }
    return run;
  }

  /** What became of the cases. */
  List<CaseResult> cases() {
    return cases;
  }

  /** Numbers that cases have published. */
  Map<String, String> facts() {
    return facts;
  }

  /** The section's own result, or null. */
  @Nullable JsonNode result() {
    return result;
  }

  /** Exit status of the last process. */
  int status() {
    return status;
  }

  long count(Status s) {
    return cases.stream().filter(c -> c.status() == s).count();
  }

  /** Runs one process; true where another one is to go on. */
  private boolean process(int number) throws IOException {
    Path events = work.resolve(section + "." + number + ".events");
    Path log = work.resolve(section + "." + number + ".log");
    Path done = work.resolve(section + ".done");
    Files.write(done, cases.stream().flatMap(c -> Stream.of(c.id(), c.name())).toList());
    Process process =
        new ProcessBuilder(command(events, done))
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    String ended = await(process, events);
    status = process.exitValue();
    int before = cases.size();
    read(events, ended, log);
    if (ended == null) {
      return false;
    }
    if (section.equals(Child.ENVIRONMENT)) {
      return false;
    }
    if (cases.size() == before) {
      fail("process", ended + ": " + tail(log));
      return false;
    }
    return !section.startsWith(Section.BENCHMARK);
  }

  /** Null where the process has done all that it was to do, else how it ended. */
  private @Nullable String await(Process process, Path events) throws IOException {
    try {
      long size = -1;
      long since = System.nanoTime();
      while (!process.waitFor(LOOK_MS, TimeUnit.MILLISECONDS)) {
        long now = Files.exists(events) ? Files.size(events) : 0;
        if (now != size) {
          size = now;
          since = System.nanoTime();
        } else if (System.nanoTime() - since > Duration.ofSeconds(options.silence).toNanos()) {
          process.destroyForcibly().waitFor();
          return "its process gave no answer for " + options.silence + " s and was ended";
        }
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted in " + section, e);
    }
    return switch (process.exitValue()) {
      case 0 -> null;
      case SuiteRunner.DEVICE_LOST -> "the device cannot be used any more";
      default -> "its process ended with status " + process.exitValue();
    };
  }

  private void read(Path events, @Nullable String ended, Path log) throws IOException {
    JsonNode open = null;
    for (JsonNode line : Events.read(events)) {
      if (line.has(Events.STARTED)) {
        open = line.get(Events.STARTED);
      } else if (line.has(Events.FINISHED)) {
        cases.add(result(line.get(Events.FINISHED)));
        open = null;
      } else if (line.has(Events.FACT)) {
        JsonNode fact = line.get(Events.FACT);
        facts.put(fact.get("name").asText(), fact.get("value").asText());
      } else {
        result = line.get(Events.RESULT);
      }
    }
    if (open != null && ended != null) {
      cases.add(
          new CaseResult(
              open.get("id").asText(),
              open.get("name").asText(),
              Status.FAILED,
              "to end",
              ended,
              ended + ": " + tail(log)));
    }
  }

  private static CaseResult result(JsonNode node) {
    try {
      return Events.JSON.treeToValue(node, CaseResult.class);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void fail(String what, String message) {
    String name = section + ": " + what;
    cases.add(new CaseResult(name, name, Status.FAILED, "to end", message, message));
  }

  private static String tail(Path log) throws IOException {
    List<String> lines = Files.readString(log).lines().filter(l -> !l.isBlank()).toList();
    return String.join("\n", lines.subList(Math.max(0, lines.size() - TAIL_LINES), lines.size()));
  }

  /** This JVM again, with what this one was told of libraries and folders. */
  private List<String> command(Path events, Path done) {
    List<String> line = new ArrayList<>();
    line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    for (String name : System.getProperties().stringPropertyNames()) {
      if (HANDED_ON.stream().anyMatch(name::startsWith)) {
        line.add("-D" + name + "=" + System.getProperty(name));
      }
    }
    line.addAll(
        List.of(
            "-cp",
            System.getProperty("java.class.path"),
            Child.class.getName(),
            section,
            Boolean.toString(options.quick),
            options.benchmarkModel.name(),
            events.toString(),
            done.toString()));
    return line;
  }
}
