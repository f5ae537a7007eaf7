package io.github.distrifuser.examples;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The mains without distrirun: with the variables that other launchers set, and under them. */
@EnabledOnOs(OS.LINUX)
class LaunchersTest {
  @TempDir Path folder;
  private Scene scene;

  @BeforeEach
  void begin() throws IOException {
    scene = new Scene(folder);
  }

  @AfterEach
  void endWhatIsLeft() throws IOException {
    for (String p : scene.processes()) {
      ProcessHandle.of(Long.parseLong(p.substring(0, p.indexOf(' '))))
          .ifPresent(ProcessHandle::destroyForcibly);
    }
  }

  private record Ended(int status, List<String> lines) {
    List<String> errors() {
      return lines.stream().filter(l -> l.startsWith("error: ")).toList();
    }
  }

  /** Starts a command with the scene's environment and these variables alone, of ours. */
  private Process start(String name, Map<String, String> variables, List<String> command)
      throws IOException {
    ProcessBuilder b =
        new ProcessBuilder(command)
            .directory(folder.toFile())
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve(name).toFile());
    Map<String, String> env = b.environment();
    env.keySet().removeIf(k -> k.matches("(DISTRIFUSER|OMPI|PMI|SLURM|TORCHELASTIC|MPI)_.*"));
    List.of("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE").forEach(env::remove);
    env.putAll(scene.environment());
    env.put("DISTRIFUSER_SECRET", "of this test");
    env.put("DISTRIFUSER_THREADS", "1");
    env.putAll(variables);
    return b.start();
  }

  private Ended finish(String name, Process p) throws IOException, InterruptedException {
    assertTrue(p.waitFor(120, TimeUnit.SECONDS), name + " has ended");
    return new Ended(p.exitValue(), Files.readAllLines(folder.resolve(name)));
  }

  private List<String> java(String main, String... args) {
    List<String> command = new ArrayList<>(List.of(System.getProperty("java.home") + "/bin/java"));
    command.addAll(scene.javaOptions());
    command.addAll(List.of("-Xmx200m", "-cp", System.getProperty("java.class.path"), main));
    command.addAll(Arrays.asList(args));
    return command;
  }

  private List<String> drawing(Path picture) {
    return java(
        RunSdxl.class.getName(),
        "--model",
        Scene.tinyModel(),
        "--image_size",
        "128",
        "--num_inference_steps",
        "3",
        "--no_split_batch",
        "--output_path",
        picture.toString());
  }

  /** What a launcher sets for a rank of two on one host. */
  private Map<String, String> variables(String launcher, int rank) {
    Map<String, String> env = new LinkedHashMap<>();
    env.put("MASTER_ADDR", "127.0.0.1");
    env.put("MASTER_PORT", "" + scene.port());
    String r = "" + rank;
    switch (launcher) {
      case "torchrun" -> {
        env.putAll(Map.of("RANK", r, "WORLD_SIZE", "2", "LOCAL_RANK", r, "LOCAL_WORLD_SIZE", "2"));
        env.put("OMP_NUM_THREADS", "1");
        env.put("TORCHELASTIC_USE_AGENT_STORE", "True");
        env.put("TORCHELASTIC_RUN_ID", "none-" + scene.port());
        env.put("TORCHELASTIC_RESTART_COUNT", "0");
        env.put("TORCHELASTIC_ERROR_FILE", folder.resolve("error" + rank + ".json").toString());
      }
      case "openmpi" -> {
        env.putAll(Map.of("OMPI_COMM_WORLD_RANK", r, "OMPI_COMM_WORLD_SIZE", "2"));
        env.putAll(Map.of("OMPI_COMM_WORLD_LOCAL_RANK", r, "OMPI_COMM_WORLD_LOCAL_SIZE", "2"));
      }
      case "pmi" -> {
        env.putAll(Map.of("PMI_RANK", r, "PMI_SIZE", "2"));
        env.putAll(Map.of("MPI_LOCALRANKID", r, "MPI_LOCALNRANKS", "2"));
      }
      case "slurm" -> {
        env.putAll(Map.of("SLURM_PROCID", r, "SLURM_STEP_NUM_TASKS", "2", "SLURM_LOCALID", r));
        env.putAll(Map.of("SLURM_STEP_TASKS_PER_NODE", "2", "SLURM_NODEID", "0"));
      }
      default -> throw new IllegalArgumentException(launcher);
    }
    return env;
  }

  private List<Ended> both(String launcher, List<String> command) throws Exception {
    List<Process> ranks = new ArrayList<>();
    for (int r = 0; r < 2; r++) {
      ranks.add(start("rank" + r, variables(launcher, r), command));
    }
    return List.of(finish("rank0", ranks.get(0)), finish("rank1", ranks.get(1)));
  }

  private byte[] pictureOfOneProcess() throws Exception {
    Path picture = folder.resolve("one.png");
    Ended one =
        finish("one", start("one", Map.of("DISTRIFUSER_LOCAL_RANKS", "2"), drawing(picture)));
    assertEquals(0, one.status(), one.lines().toString());
    return Files.readAllBytes(picture);
  }

  /** As threads of one JVM they draw the same. */
  @ParameterizedTest
  @ValueSource(strings = {"torchrun", "openmpi", "pmi", "slurm"})
  void theVariablesOfALauncherMakeAWorld(String launcher) throws Exception {
    List<Ended> ended;
    if (launcher.equals("torchrun")) {
      // The agent listens on MASTER_PORT.
      try (ServerSocket agent =
          new ServerSocket(scene.port(), 1, InetAddress.getLoopbackAddress())) {
        ended = both(launcher, drawing(scene.picture()));
        assertTrue(agent.isBound());
      }
    } else {
      ended = both(launcher, drawing(scene.picture()));
    }
    assertEquals(0, ended.get(0).status(), ended.toString());
    assertEquals(0, ended.get(1).status(), ended.toString());
    assertTrue(ended.get(0).lines().toString().contains("on 2 ranks"), ended.toString());
    scene.assertOnlyPictureIsLeft(List.of(scene.picture()));
    assertFalse(Files.exists(folder.resolve("error0.json")), "torchrun's error file");
    if (launcher.equals("torchrun")) {
      assertArrayEquals(pictureOfOneProcess(), Files.readAllBytes(scene.picture()));
    }
  }

  @Test
  void aKilledRankEndsTheOtherThatNobodyWatches() throws Exception {
    List<Ended> ended = both("slurm", faulty("1:kill:3"));
    assertEquals(137, ended.get(1).status(), ended.toString());
    assertEquals(1, ended.get(0).status(), ended.toString());
    assertEquals(
        List.of("error: rank 1 died (connection lost); last seen: step 3"), ended.get(0).errors());
    assertTrue(Scene.secondsSinceFault(ended.get(1).lines()) < 15, ended.toString());
    scene.assertNothingIsLeft();
  }

  private static List<String> onThePath(String program) {
    for (String place : System.getenv("PATH").split(":")) {
      Path file = Path.of(place, program);
      if (Files.isExecutable(file)) {
        return List.of(file.toString());
      }
    }
    assumeTrue(false, program + " is not on the PATH: this launcher is not tried");
    return List.of();
  }

  private Ended under(List<String> launcher, List<String> options, List<String> command)
      throws Exception {
    List<String> all = new ArrayList<>(launcher);
    all.addAll(options);
    all.addAll(command);
    Map<String, String> env = new LinkedHashMap<>();
    env.put("MASTER_ADDR", "127.0.0.1");
    env.put("MASTER_PORT", "" + scene.port());
    return finish("launcher", start("launcher", env, all));
  }

  private List<String> torchrunOptions() {
    return List.of("--no-python", "--nproc_per_node=2", "--master_port=" + scene.port());
  }

  @Test
  void torchrunDraws() throws Exception {
    Ended ended = under(onThePath("torchrun"), torchrunOptions(), drawing(scene.picture()));
    assertEquals(0, ended.status(), ended.toString());
    assertTrue(ended.lines().toString().contains("on 2 ranks"), ended.toString());
    assertTrue(Files.exists(scene.picture()));
    assertEquals(List.of(), scene.processes());
  }

  /** It shows what the rank has written into its error file. */
  @Test
  void torchrunShowsWhyARankFailed() throws Exception {
    Ended ended = under(onThePath("torchrun"), torchrunOptions(), faulty("1:throw:2"));
    assertEquals(1, ended.status(), ended.toString());
    String all = String.join("\n", ended.lines());
    assertTrue(all.contains("error: as told"), all);
    assertTrue(all.contains("error: rank 1 failed in step 2: as told"), all);
    assertTrue(
        all.matches("(?s).*FAILED.*rank +: 1 .*java.lang.IllegalStateException: as told.*"), all);
    assertFalse(Files.exists(scene.picture()));
    assertEquals(List.of(), scene.processes());
  }

  private static List<String> mpirunOptions() {
    return List.of("--allow-run-as-root", "--oversubscribe", "-n", "2");
  }

  @Test
  void mpirunDraws() throws Exception {
    Ended ended = under(onThePath("mpirun"), mpirunOptions(), drawing(scene.picture()));
    assertEquals(0, ended.status(), ended.toString());
    assertTrue(ended.lines().toString().contains("on 2 ranks"), ended.toString());
    assertTrue(Files.exists(scene.picture()));
    assertEquals(List.of(), scene.processes());
  }

  @Test
  void mpirunEndsWhenARankIsKilled() throws Exception {
    Ended ended = under(onThePath("mpirun"), mpirunOptions(), faulty("0:kill:2"));
    assertTrue(ended.status() != 0, ended.toString());
    assertFalse(Files.exists(scene.picture()));
    assertEquals(List.of(), scene.processes());
  }

  private List<String> faulty(String fault) {
    return java(
        "io.github.distrifuser.launch.Launch",
        FaultyGeneration.class.getName(),
        Scene.tinyModel(),
        scene.picture().toString(),
        "patch",
        fault);
  }
}
