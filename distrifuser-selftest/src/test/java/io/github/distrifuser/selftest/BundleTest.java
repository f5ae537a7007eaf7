package io.github.distrifuser.selftest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.distrifuser.cuda.standin.Standin;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The bundle as another machine would have it: unpacked into a folder of its own and started
 * without Java on the path, on libraries that stand in for CUDA's.
 */
@Tag("gpu-bundle")
class BundleTest {
  private static final Path ROOT = Path.of(System.getProperty("distrifuser.root", ""));
  private static final Path WORK = Path.of(System.getProperty("distrifuser.work", ""));
  private static final long MOST_BYTES = 64L << 20;

  /** What the machine has of NVIDIA besides the stand-ins; cuDNN's and the driver's are those. */
  private static final Path LIBRARIES = WORK.resolve("libraries");

  private static final Map<String, String> STANDINS = new LinkedHashMap<>();
  private static Path selfTest = WORK;

  private record Ended(int status, String out, String err) {}

  @BeforeAll
  static void unpack() throws Exception {
    deleteTree(WORK);
    Files.createDirectories(LIBRARIES);
    for (String file : List.of("libnvrtc.so.13", "libnvrtc-builtins.so.13.1")) {
      String resource = "org/bytedeco/cuda/linux-x86_64/" + file;
      try (InputStream in = BundleTest.class.getClassLoader().getResourceAsStream(resource)) {
        assertTrue(in != null, "no " + resource + ": -Pgpu-bundle brings it");
        Files.copy(in, LIBRARIES.resolve(file));
      }
    }
    STANDINS.putAll(Standin.build(WORK.resolve("signatures")));
    STANDINS.put("STANDIN_QUICK", "1");
    STANDINS.put("DISTRIFUSER_CUDA_LIBRARIES", LIBRARIES.toString());
    STANDINS.put("DISTRIFUSER_CACHE", Path.of("target", "cache").toAbsolutePath().toString());
    STANDINS.put(
        "DISTRIFUSER_JAVA_OPTS",
        "-Xmx2g -Dorg.bytedeco.javacpp.pathsFirst=true -Djava.library.path=" + Standin.folder());

    Path file = WORK.resolve("bundle.tar.gz");
    Ended made =
        run(
            Map.of(
                "DISTRIFUSER_CLASSPATH", classPath(), "JAVA_HOME", System.getProperty("java.home")),
            System.getenv("PATH"),
            List.of(ROOT.resolve("scripts/make-gpu-bundle").toString(), file.toString()));
    assertEquals(0, made.status, made.err);
    assertEquals(file + ": " + Files.size(file) + " bytes\n", made.out);
    assertTrue(Files.size(file) <= MOST_BYTES, made.out);
    Path clean = Files.createDirectory(WORK.resolve("clean"));
    Ended tar =
        run(
            Map.of(),
            System.getenv("PATH"),
            List.of("tar", "-xzf", file.toString(), "-C", clean.toString()));
    assertEquals(0, tar.status, tar.err);
    try (Stream<Path> entries = Files.list(clean)) {
      assertEquals(List.of("gpu-selftest"), entries.map(p -> p.getFileName().toString()).toList());
    }
    selfTest = clean.resolve("gpu-selftest");
  }

  /** This build's class path without what is there for this test alone. */
  private static String classPath() {
    return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
        .filter(
            e -> !e.matches(".*distrifuser-(selftest|cuda)/target/(test-classes|[^/]*tests.jar)"))
        .collect(Collectors.joining(File.pathSeparator));
  }

  private static Ended run(Map<String, String> environment, String path, List<String> command)
      throws IOException, InterruptedException {
    Path out = Files.createTempFile(WORK, "out", "");
    Path err = Files.createTempFile(WORK, "err", "");
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.directory(WORK.toFile());
    builder.environment().clear();
    builder.environment().putAll(environment);
    builder.environment().put("PATH", path);
    builder.environment().put("HOME", WORK.toString());
    int status = builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start().waitFor();
    return new Ended(status, Files.readString(out), Files.readString(err));
  }

  /** A folder of what the script needs of the system; Java is not there. */
  private static String pathWithoutJava() throws IOException {
    Path bin = WORK.resolve("bin");
    if (!Files.exists(bin)) {
      Files.createDirectory(bin);
      for (String tool : List.of("bash", "env", "dirname", "readlink", "mkdir", "id")) {
        Path found =
            Stream.of("/usr/bin", "/bin")
                .map(f -> Path.of(f, tool))
                .filter(Files::isExecutable)
                .findFirst()
                .orElseThrow();
        Files.createSymbolicLink(bin.resolve(tool), found);
      }
    }
    return bin.toString();
  }

  private static Ended selfTest(Map<String, String> more, String... options) throws Exception {
    Map<String, String> environment = new LinkedHashMap<>(STANDINS);
    environment.putAll(more);
    List<String> command = new ArrayList<>();
    command.add(selfTest.resolve("gpu-selftest").toString());
    command.addAll(List.of(options));
    return run(environment, pathWithoutJava(), command);
  }

  private static JsonNode json(Path file) throws IOException {
    return new JsonMapper().readTree(Files.readString(file, StandardCharsets.UTF_8));
  }

  private static void deleteTree(Path folder) throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> tree = Files.walk(folder)) {
        for (Path p : tree.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(p);
        }
      }
    }
  }

  private static JsonNode section(JsonNode report, String name) {
    for (JsonNode s : report.get("sections")) {
      if (s.get("name").asText().equals(name)) {
        return s;
      }
    }
    throw new AssertionError("no section " + name + " in " + report);
  }

  @Test
  void theQuickTestPassesWithoutJavaOnThePath() throws Exception {
    Path file = WORK.resolve("quick.json");
    Ended e =
        selfTest(Map.of(), "--quick", "--benchmark_model", "tiny", "--report", file.toString());
    assertEquals(0, e.status, e.out + e.err);
    JsonNode r = json(file);
    assertTrue(r.get("passed").asBoolean());
    assertEquals(0, r.get("failures").size());
    assertEquals("13.1", r.at("/environment/nvrtc").asText());
    assertEquals("9.19.0", r.at("/environment/cudnn").asText());
    for (String type : List.of("float32", "float16")) {
      for (String kind : List.of("operators", "models", "pipelines", "memory")) {
        String name = kind + "_" + type;
        assertTrue(section(r, name).get("passed").asInt() > 1, name + " in " + e.out);
      }
      String peak = "memory_" + type + ": peak_bytes_of_tensors";
      assertTrue(r.get("memory").get(peak).asLong() > 1000, peak);
    }
    assertEquals("tiny", r.at("/benchmark/model").asText());
    assertEquals(3, section(r, "ranks_float32").get("passed").asInt(), e.out);
    JsonNode row = r.at("/benchmark/rows/0");
    assertEquals(64, row.get("size").asInt());
    assertTrue(row.get("teraflops").asDouble() > 0);
    assertTrue(row.get("peak_bytes").asLong() > row.get("weight_bytes").asLong());
    assertTrue(row.get("paper_seconds").isNull());
    String text = Files.readString(WORK.resolve("quick.txt"));
    assertTrue(text.contains("measures nothing"), text);
    assertTrue(text.strip().endsWith("PASSED"), text);
    assertTrue(e.out.contains(text.strip()), e.out);
  }

  /** The models' cases on a device with a fault at a kernel's n-th launch. */
  private static Ended failing(String fault, int launch, Path report) throws Exception {
    Ended e =
        selfTest(
            Map.of(fault, Integer.toString(launch)),
            "--quick",
            "--only",
            "models_float32",
            "--report",
            report.toString());
    assertEquals(1, e.status, e.out + e.err);
    return e;
  }

  @Test
  void aLaunchThatIsRefusedFailsItsCaseAndNoOther() throws Exception {
    Path file = WORK.resolve("refused.json");
    Ended e = failing("STANDIN_REFUSE_LAUNCH", 1, file);
    JsonNode r = json(file);
    assertFalse(r.get("passed").asBoolean());
    assertEquals(1, r.get("failures").size(), e.out);
    JsonNode f = r.get("failures").get(0);
    assertTrue(f.get("case").asText().startsWith("models_float32: "), f.toString());
    assertTrue(f.get("message").asText().contains("too many resources requested"), f.toString());
    assertFalse(f.get("expected").asText().isEmpty());
    assertFalse(f.get("found").asText().isEmpty());
    assertTrue(r.at("/sections/0/passed").asInt() > 5, e.out);
    assertTrue(e.out.contains("FAILED " + f.get("case").asText()), e.out);
  }

  @Test
  void aDeviceThatIsLostFailsACaseOfEachProcessAndTheOthersGoOn() throws Exception {
    Path file = WORK.resolve("lost.json");
    Ended e = failing("STANDIN_FAIL_LAUNCH", 400, file);
    JsonNode section = json(file).at("/sections/0");
    assertTrue(section.get("failed").asInt() > 0, e.out);
    assertTrue(section.get("passed").asInt() > 0, "new processes go on: " + e.out);
    int cases = section.get("failed").asInt() + section.get("passed").asInt();
    assertEquals(11, cases, "each case is run once: " + e.out);
  }

  @Test
  void aMachineWithoutGpuIsOneLineAndStatus2() throws Exception {
    Ended e =
        run(
            Map.of("DISTRIFUSER_JAVA_OPTS", "-Djava.library.path=" + WORK.resolve("nothing")),
            pathWithoutJava(),
            List.of(selfTest.resolve("gpu-selftest").toString(), "--quick"));
    assertEquals(2, e.status, e.out + e.err);
    assertEquals(
        "error: no usable GPU: NVIDIA's driver is not installed: there is no libcuda.so.1\n",
        e.err);
    assertFalse(Files.exists(WORK.resolve("gpu-selftest.json")));
  }

  @Test
  void aBundleThatIsTooLargeIsRefusedAndItsPartsAreNamed() throws Exception {
    Path classes = Files.createDirectories(WORK.resolve("large/target/classes"));
    byte[] noise = new byte[(int) MOST_BYTES];
    new java.util.Random(1).nextBytes(noise);
    Files.write(classes.resolve("noise"), noise);
    Path file = WORK.resolve("large.tar.gz");
    Ended made =
        run(
            Map.of(
                "DISTRIFUSER_CLASSPATH",
                classPath() + File.pathSeparator + classes,
                "JAVA_HOME",
                System.getProperty("java.home")),
            System.getenv("PATH"),
            List.of(ROOT.resolve("scripts/make-gpu-bundle").toString(), file.toString()));
    assertEquals(1, made.status, made.err);
    assertTrue(made.err.contains("-classes.jar"), made.err);
    assertTrue(made.err.lines().toList().get(1).contains("large-classes.jar"), made.err);
    assertTrue(made.err.contains("may have " + MOST_BYTES), made.err);
    assertFalse(Files.exists(file));
  }
}
