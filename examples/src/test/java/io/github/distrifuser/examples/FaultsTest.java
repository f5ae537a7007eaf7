package io.github.distrifuser.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A rank of a generation over processes that comes to grief takes the others with it, at once. */
@EnabledOnOs(OS.LINUX)
class FaultsTest {
  private static final double MOST_SECONDS = 15;
  private static final double MOST_SECONDS_OF_A_HANG = 60;

  @TempDir Path folder;
  private Scene scene;
  private Distrirun distrirun;

  @BeforeEach
  void begin() throws IOException {
    scene = new Scene(folder);
    distrirun = new Distrirun(folder);
  }

  @AfterEach
  void endWhatIsLeft() throws IOException {
    for (String p : scene.processes()) {
      ProcessHandle.of(Long.parseLong(p.substring(0, p.indexOf(' '))))
          .ifPresent(ProcessHandle::destroyForcibly);
    }
  }

  private Process start(Map<String, String> more, int ranks, String... args) throws IOException {
    Map<String, String> env = scene.environment();
    env.put("DISTRIFUSER_HANG_SECONDS", "2");
    env.put("DISTRIFUSER_GRACE", "10");
    env.putAll(more);
    List<String> all = new ArrayList<>();
    all.addAll(List.of("--nproc_per_node=" + ranks, "--master_port=" + scene.port()));
    all.addAll(List.of(args));
    return distrirun.start(env, all);
  }

  private Process generation(Map<String, String> more, int ranks, String parallelism, String fault)
      throws IOException {
    return start(
        more,
        ranks,
        "--max_memory=100m",
        FaultyGeneration.class.getName(),
        Scene.tinyModel(),
        scene.picture().toString(),
        parallelism,
        fault);
  }

  private static void assertFailed(Distrirun.Result result, String error) {
    assertEquals(1, result.status(), result.err().toString());
    assertEquals(1, result.errors().size(), result.err().toString());
    String last = result.errors().get(0);
    assertTrue(last.matches(error), last + " in " + result.err());
    assertEquals(last, result.err().get(result.err().size() - 1));
    assertFalse(result.out().stream().anyMatch(l -> l.contains("done")), "no rank has its picture");
  }

  private void failingStep(int ranks, String parallelism, String fault, String error)
      throws IOException, InterruptedException {
    Process process = generation(Map.of(), ranks, parallelism, fault);
    Distrirun.Result result = distrirun.finish(process);
    double limit = fault.contains("stop") ? MOST_SECONDS_OF_A_HANG : MOST_SECONDS;
    List<String> lines = new ArrayList<>(result.err());
    lines.addAll(result.out());
    double seconds = Scene.secondsSinceFault(lines);
    assertFailed(result, error);
    assertTrue(seconds < limit, "it took " + seconds + " s: " + result.err());
    scene.assertNothingIsLeft();
  }

  @ParameterizedTest
  @CsvSource({
    "1:kill:3, 'error: rank 1 was killed by signal 9 \\(KILL\\); last seen: step 3'",
    "0:kill:0, 'error: rank 0 was killed by signal 9 \\(KILL\\); last seen: step 0'",
    "1:stop:4, 'error: rank 1 hangs: nothing heard for 2 s; last seen: step 4'",
    "1:throw:2, 'error: rank 1 failed in step 2: as told'",
    "1:memory:5, 'error: rank 1 failed in step 5: out of memory: Java heap space .*'",
    "1:exit:5, 'error: rank 1 ended with status 5 and no message; last seen: step 5'",
  })
  void aFailingStepEndsTheOthers(String fault, String error) throws Exception {
    failingStep(2, "patch", fault, error);
  }

  @Tag("slow")
  @ParameterizedTest
  @CsvSource({
    "2, patch, 0:stop:4, 'error: rank 0 hangs: nothing heard for 2 s; last seen: step 4'",
    "2, patch, 0:throw:2, 'error: rank 0 failed in step 2: as told'",
    "2, patch, 0:memory:6, 'error: rank 0 failed in step 6: out of memory: Java heap space .*'",
    "2, tensor, 1:kill:3, 'error: rank 1 was killed by signal 9 .KILL.; last seen: step 3'",
    "3, naive_patch, 2:kill:3, 'error: rank 2 was killed by signal 9 .KILL.; last seen: step 3'",
    "4, patch, 2:kill:6, 'error: rank 2 was killed by signal 9 .KILL.; last seen: step 6'",
    "4, patch, 3:stop:1, 'error: rank 3 hangs: nothing heard for 2 s; last seen: step 1'",
    "4, tensor, 0:throw:1, 'error: rank 0 failed in step 1: as told'",
  })
  void aFailingStepEndsTheOthers(int ranks, String parallelism, String fault, String error)
      throws Exception {
    failingStep(ranks, parallelism, fault, error);
  }

  /** Without DISTRIFUSER_HANG_SECONDS. */
  @Tag("slow")
  @Test
  void aHangEndsTheOthersWithinAMinute() throws Exception {
    Process process = generation(Map.of("DISTRIFUSER_HANG_SECONDS", ""), 2, "patch", "1:stop:3");
    Distrirun.Result result = distrirun.finish(process);
    double seconds = Scene.secondsSinceFault(result.err());
    assertFailed(result, "error: rank 1 hangs: nothing heard for \\d+ s; last seen: step 3");
    assertTrue(seconds < MOST_SECONDS_OF_A_HANG, "it took " + seconds + " s");
    scene.assertNothingIsLeft();
  }

  @ParameterizedTest
  @CsvSource({
    "--model, ../tiny-sd2, model \\w{16} against \\w{16}",
    "--image_size, 64, height 64 against 128",
    "--sync_mode, full_sync, sync_mode full_sync against corrected_async_gn",
    "--prompt, a cat, 'prompt \\[a cat\\] against \\[a boat\\]'",
  })
  void ranksThatDisagreeEndBeforeTheFirstStep(String option, String value, String fact)
      throws Exception {
    String given =
        option.equals("--model") ? Path.of(Scene.tinyModel(), value).normalize() + "" : value;
    Distrirun.Result result = distrirun.finish(unlike(option, given));
    assertFailed(result, "error: rank 1( disagrees with rank 0)?: " + fact);
    scene.assertNothingIsLeft();
  }

  private Process unlike(String option, String value) throws IOException {
    return start(
        Map.of(),
        2,
        UnlikeArguments.class.getName(),
        "1",
        option,
        value,
        "--model",
        Scene.tinyModel(),
        "--prompt",
        "a boat",
        "--image_size",
        "128",
        "--num_inference_steps",
        "3",
        "--output_path",
        scene.picture().toString());
  }

  /** A JDK whose java does something else on rank 1. */
  private Map<String, String> unlikeJava(String script) throws IOException {
    Path bin = Files.createDirectories(folder.resolve("jdk/bin"));
    Path java = bin.resolve("java");
    String real = System.getProperty("java.home") + "/bin/java";
    Files.writeString(
        java,
        "#!/bin/bash\nif [[ ${RANK-} == 1 ]]; then\n"
            + script
            + "\nfi\nexec "
            + real
            + " \"$@\"\n");
    assertTrue(java.toFile().setExecutable(true));
    return new HashMap<>(Map.of("JAVA_HOME", bin.getParent().toString()));
  }

  private Distrirun.Result plainRun(Map<String, String> env) throws Exception {
    return distrirun.finish(
        start(
            env,
            2,
            "run_sdxl",
            "--model",
            Scene.tinyModel(),
            "--image_size",
            "128",
            "--num_inference_steps",
            "3",
            "--output_path",
            scene.picture().toString()));
  }

  @Test
  void ranksOfAnotherWorldSizeAreRefused() throws Exception {
    Distrirun.Result result = plainRun(unlikeJava("export WORLD_SIZE=3"));
    assertFailed(result, "error: rank 1 disagrees with rank 0: world size 3 against 2");
    scene.assertNothingIsLeft();
  }

  @Test
  void ranksOfAnotherVersionAreRefused() throws Exception {
    Path jar = OtherVersion.jar(folder.resolve("other.jar"), "99.9");
    Distrirun.Result result =
        plainRun(
            unlikeJava(
                "args=(\"$@\"); for ((i = 0; i < $#; i++)); do [[ ${args[i]} != -cp ]] ||"
                    + " args[i + 1]="
                    + jar
                    + ":${args[i + 1]}; done; set -- \"${args[@]}\""));
    assertFailed(result, "error: rank 1 disagrees with rank 0: version 99.9 against .*");
    scene.assertNothingIsLeft();
  }

  @Test
  void aRankWhoseHeapIsTooSmallEndsTheOthers() throws Exception {
    Distrirun.Result result = plainRun(unlikeJava("set -- -Xmx7m \"$@\""));
    assertFailed(result, "error: rank 1\\b.*");
    scene.assertNothingIsLeft();
  }

  @ParameterizedTest
  @CsvSource({"INT, 2", "TERM, 15"})
  void aSignalToTheLauncherEndsAll(String name, int number) throws Exception {
    Process process = generation(Map.of(), 2, "patch", "all:slow:0");
    awaitFault(process);
    new ProcessBuilder("bash", "-c", "kill -" + name + " " + process.pid()).start().waitFor();
    Distrirun.Result result = distrirun.finish(process);
    assertFailed(result, "error: stopped by signal " + number + " \\(" + name + "\\)");
    scene.assertNothingIsLeft();
  }

  private void awaitFault(Process process) throws IOException, InterruptedException {
    while (process.isAlive()) {
      if (Files.readString(distrirun.errFile().toPath()).contains(FaultyGeneration.MARK)) {
        return;
      }
      Thread.sleep(20);
    }
    throw new AssertionError(Files.readString(distrirun.errFile().toPath()));
  }

  @Test
  void withoutAFaultThereIsAPictureAndNothingElse() throws Exception {
    Distrirun.Result result = distrirun.finish(generation(Map.of(), 2, "patch", "none"));
    assertEquals(0, result.status(), result.err().toString());
    assertTrue(result.out().contains("[rank 0] done"), result.out().toString());
    scene.assertOnlyPictureIsLeft(List.of(scene.picture()));
  }
}
