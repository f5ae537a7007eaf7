package io.github.distrifuser.selftest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.distrifuser.selftest.CaseResult.Status;
import io.github.distrifuser.weights.AtomicFiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.Map;

/** All that a self-test has found, as JSON and as text. */
final class Report {
  private static final double GIGA = 1e9;
  private static final int MESSAGE = 300; // characters of it in the text

  private final Options options;
  private final ObjectNode root = Events.JSON.createObjectNode();
  private final ArrayNode sections;
  private final ArrayNode failures;
  private final ArrayNode skipped;
  private final ObjectNode memory;
  private final ArrayNode rows;

  Report(Options options, JsonNode environment) {
    this.options = options;
    root.put("distrifuser", version());
    root.put("started", now());
    root.put("quick", options.quick);
    ObjectNode all = root.putObject("environment");
    environment.properties().forEach(e -> all.set(snakeCase(e.getKey()), e.getValue()));
    all.put("jvm", System.getProperty("java.vm.name") + " " + System.getProperty("java.version"));
    all.put("os", System.getProperty("os.name") + " " + System.getProperty("os.version"));
    sections = root.putArray("sections");
    failures = root.putArray("failures");
    skipped = root.putArray("skipped");
    memory = root.putObject("memory");
    ObjectNode benchmark = root.putObject("benchmark");
    benchmark.put("model", options.benchmarkModel.name());
    benchmark.put("description", options.benchmarkModel.description());
    rows = benchmark.putArray("rows");
  }

  private static String version() {
    String v = Report.class.getPackage().getImplementationVersion();
    return v == null ? "not from a jar" : v;
  }

  private static String now() {
    return Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
  }

  private static String snakeCase(String name) {
    return name.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
  }

  /** Notes a section that this device can't run. */
  void leftOut(String section, String why) {
    skipped.addObject().put("case", section).put("why", why);
  }

  void add(Section section, SectionRun run, double seconds) {
    ObjectNode s = sections.addObject();
    s.put("name", section.name());
    s.put("passed", run.count(Status.PASSED));
    s.put("failed", run.count(Status.FAILED));
    s.put("skipped", run.count(Status.SKIPPED));
    s.put("seconds", seconds);
    for (CaseResult c : run.cases()) {
      if (c.status() == Status.FAILED) {
        ObjectNode f = failures.addObject();
        f.put("case", c.name());
        f.put("expected", c.expected());
        f.put("found", c.found());
        f.put("message", c.message());
      } else if (c.status() == Status.SKIPPED) {
        leftOut(c.name(), String.valueOf(c.message()));
      }
    }
    for (Map.Entry<String, String> fact : run.facts().entrySet()) {
      memory.put(fact.getKey(), Long.parseLong(fact.getValue()));
    }
    JsonNode row = run.result();
    if (row != null) {
      ObjectNode r = rows.addObject();
      row.properties().forEach(e -> r.set(snakeCase(e.getKey()), e.getValue()));
    }
  }

  boolean passed() {
    return failures.isEmpty();
  }

  // --- the text ---

  String text() {
    StringBuilder t = new StringBuilder();
    JsonNode e = root.get("environment");
    line(t, "GPU self-test of distrifuser %s, %s", version(), root.get("started").asText());
    line(
        t,
        "%s, compute capability %s, %.1f GB; driver %s for CUDA %s",
        text(e, "device"),
        text(e, "compute_capability"),
        e.get("memory_bytes").asLong() / GIGA,
        text(e, "driver"),
        text(e, "driver_cuda"));
    line(
        t,
        "CUDA runtime %s, NVRTC %s, cuBLAS %s, cuDNN %s, NCCL %s; %s",
        text(e, "runtime"),
        text(e, "nvrtc"),
        text(e, "cublas"),
        text(e, "cudnn"),
        text(e, "nccl"),
        text(e, "jvm"));
    line(t, "");
    line(t, "%-22s %8s %8s %8s %9s", "section", "passed", "failed", "skipped", "seconds");
    for (JsonNode s : sections) {
      line(
          t,
          "%-22s %8d %8d %8d %9.1f",
          text(s, "name"),
          s.get("passed").asInt(),
          s.get("failed").asInt(),
          s.get("skipped").asInt(),
          s.get("seconds").asDouble());
    }
    for (JsonNode s : skipped) {
      line(t, "skipped %s: %s", text(s, "case"), text(s, "why"));
    }
    memory.properties().forEach(f -> line(t, "%s %,d", f.getKey(), f.getValue().asLong()));
    if (!rows.isEmpty()) {
      benchmark(t);
    }
    failures(t);
    return t.toString();
  }

  private void benchmark(StringBuilder t) {
    line(t, "");
    line(t, "Benchmark: %s", options.benchmarkModel.description());
    line(
        t,
        "%6s %9s %9s %9s %9s %9s %11s %14s",
        "pixels",
        "step s",
        "TFLOP/s",
        "of peak",
        "peak GB",
        "device GB",
        "50 steps s",
        "paper's A100 s");
    for (JsonNode r : rows) {
      if (!r.get("note").isNull()) {
        line(t, "%6d %s", r.get("size").asInt(), text(r, "note"));
        continue;
      }
      JsonNode peak = r.get("peak_teraflops");
      line(
          t,
          "%6d %9.4f %9.2f %9s %9.3f %9.3f %11.2f %14s",
          r.get("size").asInt(),
          r.get("step_seconds").asDouble(),
          r.get("teraflops").asDouble(),
          peak.isNull()
              ? "-"
              : String.format(
                  Locale.ROOT, "%.1f %%", 100 * r.get("teraflops").asDouble() / peak.asDouble()),
          r.get("peak_bytes").asLong() / GIGA,
          r.get("device_bytes").asLong() / GIGA,
          r.get("fifty_steps_seconds").asDouble(),
          r.get("paper_seconds").isNull() ? "-" : r.get("paper_seconds").asText());
    }
  }

  private void failures(StringBuilder t) {
    line(t, "");
    for (JsonNode f : failures) {
      line(t, "FAILED %s", text(f, "case"));
      line(t, "  expected %s", shortened(text(f, "expected")));
      line(t, "  found    %s", shortened(text(f, "found")));
      line(t, "  %s", shortened(text(f, "message")));
    }
    line(t, passed() ? "PASSED" : failures.size() + " FAILED");
  }

  private static String shortened(String s) {
    String one = s.strip().replaceAll("\\s*\\R\\s*", " | ");
    return one.length() <= MESSAGE ? one : one.substring(0, MESSAGE) + "...";
  }

  private static String text(JsonNode node, String key) {
    JsonNode v = node.path(key);
    return v.isNull() || v.isMissingNode() ? "not found" : v.asText();
  }

  private static void line(StringBuilder t, String format, Object... args) {
    t.append(String.format(Locale.ROOT, format, args)).append('\n');
  }

  // --- the files ---

  /** Writes both files, each at once. */
  void write() throws IOException {
    root.put("finished", now());
    root.put("passed", passed());
    String text = text();
    ArrayNode lines = root.putArray("summary");
    text.lines().forEach(lines::add);
    write(options.report, Events.JSON.writerWithDefaultPrettyPrinter().writeValueAsString(root));
    String name = options.report.getFileName().toString();
    int dot = name.lastIndexOf('.');
    write(options.report.resolveSibling((dot > 0 ? name.substring(0, dot) : name) + ".txt"), text);
  }

  private static void write(Path file, String text) throws IOException {
    try {
      AtomicFiles.write(file, (text + "\n").getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new IOException("--report " + file + ": " + e.getMessage(), e);
    }
  }
}
