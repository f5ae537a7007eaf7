package io.github.distrifuser.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs scripts/distrirun with {@link LauncherProbe}. */
@EnabledOnOs(OS.LINUX)
class LauncherTest {

  private static final String PROBE = LauncherProbe.class.getName();

  @TempDir Path folder;

  private Distrirun distrirun;

  @BeforeEach
  void useTheFolder() {
    distrirun = new Distrirun(folder);
  }

  private static Optional<String> value(List<String> lines, String prefix, String name) {
    return lines.stream()
        .filter(line -> line.startsWith(prefix + name + "="))
        .map(line -> line.substring((prefix + name + "=").length()))
        .findFirst();
  }

  private static String need(List<String> lines, String prefix, String name) {
    return value(lines, prefix, name)
        .orElseThrow(() -> new AssertionError("no " + prefix + name + " in " + lines));
  }

  /** Waits until both ranks have said that they run. */
  private List<Long> pidsOfTwoRanks(Process process) throws IOException, InterruptedException {
    while (process.isAlive()) {
      List<String> lines = Files.readAllLines(distrirun.errFile().toPath());
      Optional<String> first = value(lines, "[rank 0] ", "pid");
      Optional<String> second = value(lines, "[rank 1] ", "pid");
      if (first.isPresent() && second.isPresent()) {
        return List.of(Long.valueOf(first.get()), Long.valueOf(second.get()));
      }
      Thread.sleep(50);
    }
    throw new AssertionError(
        "the launcher has ended: " + Files.readAllLines(distrirun.errFile().toPath()));
  }

  private static void assertGone(List<Long> pids) {
    for (long pid : pids) {
      assertFalse(
          ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false), "process " + pid);
    }
  }

  @Test
  void oneRankHasTheLaunchersStreamsAndItsArgumentsAsTheyAre() throws Exception {
    Distrirun.Result result =
        distrirun.run(
            Map.of(), List.of(PROBE, "a  b", "", "--nproc_per_node=9", "'\"$x*", "0:progress"));
    assertEquals(0, result.status());
    assertEquals("args a  b||--nproc_per_node=9|'\"$x*|0:progress", result.out().get(0));
    assertEquals("0", need(result.out(), "", "RANK"));
    assertEquals("1", need(result.out(), "", "WORLD_SIZE"));
    assertEquals("no line end", result.err().get(result.err().size() - 1));
  }

  @Test
  void argumentsInAnyLanguageArriveWhateverTheLocale() throws Exception {
    // Through a file: a test JVM that itself runs in the locale C could not pass the words on.
    Path script = folder.resolve("script");
    Files.writeString(
        script, "LC_ALL=C exec bash \"" + Distrirun.script() + "\" " + PROBE + " 漢字 'é ü' ☃\n");
    ProcessBuilder builder = distrirun.builder(Map.of(), List.of("bash", script.toString()));
    Distrirun.Result result = distrirun.finish(builder.start());
    assertEquals(0, result.status());
    assertEquals("args 漢字|é ü|☃", result.out().get(0));
  }

  @Test
  void eachRankHasItsEnvironmentAndPrefixAndOnlyRank0WritesToStandardOutput() throws Exception {
    Distrirun.Result result = distrirun.run("--nproc_per_node 2 " + PROBE + " 1:progress");
    assertEquals(0, result.status());
    assertEquals(List.of(), result.errors());
    for (int rank = 0; rank < 2; rank++) {
      String prefix = "[rank " + rank + "] ";
      List<String> lines = rank == 0 ? result.out() : result.err();
      assertEquals("" + rank, need(lines, prefix, "RANK"));
      assertEquals("" + rank, need(lines, prefix, "LOCAL_RANK"));
      assertEquals("2", need(lines, prefix, "WORLD_SIZE"));
      assertEquals("2", need(lines, prefix, "LOCAL_WORLD_SIZE"));
      assertEquals("127.0.0.1", need(lines, prefix, "MASTER_ADDR"));
      assertEquals("null", need(lines, prefix, "DISTRIFUSER_LOCAL_RANKS"));
    }
    assertTrue(result.out().stream().allMatch(line -> line.startsWith("[rank 0] ")));
    assertTrue(result.err().stream().allMatch(line -> line.matches("\\[rank [01]] .*")));
    int port = Integer.parseInt(need(result.out(), "[rank 0] ", "MASTER_PORT"));
    assertTrue(port > 1023 && port < 32768, "port " + port);
    assertEquals("" + port, need(result.err(), "[rank 1] ", "MASTER_PORT"));
    String secret = need(result.out(), "[rank 0] ", "DISTRIFUSER_SECRET");
    assertTrue(secret.matches("[0-9a-f]{64}"), secret);
    assertEquals(secret, need(result.err(), "[rank 1] ", "DISTRIFUSER_SECRET"));
    // Of a progress bar that rewrites its line, a file gets the last state.
    assertTrue(result.err().contains("[rank 1] step 3"), result.err().toString());
    assertTrue(result.err().contains("[rank 1] no line end"), result.err().toString());
    int cores = Runtime.getRuntime().availableProcessors();
    int threads = Integer.parseInt(need(result.out(), "[rank 0] ", "DISTRIFUSER_THREADS"));
    assertTrue(threads >= 1 && threads <= Math.max(1, cores / 2), "threads " + threads);
  }

  @Test
  void theLastOfARepeatedOptionWinsHoweverItIsWritten() throws Exception {
    Distrirun.Result result =
        distrirun.run(
            "--nproc_per_node=x --nproc-per-node 1 --threads_per_rank 3 --threads-per-rank=5"
                + " --max_memory 1g --max-memory=64m --master_addr a --master-addr=localhost"
                + " --master_port 1 --master-port 4711 "
                + PROBE);
    assertEquals(0, result.status());
    assertEquals("1", need(result.out(), "", "WORLD_SIZE"));
    assertEquals("5", need(result.out(), "", "DISTRIFUSER_THREADS"));
    assertEquals("localhost", need(result.out(), "", "MASTER_ADDR"));
    assertEquals("4711", need(result.out(), "", "MASTER_PORT"));
    long heap = Long.parseLong(need(result.out(), "", "heap"));
    assertTrue(heap > (48 << 20) && heap <= (64 << 20), "heap " + heap);
  }

  @Test
  void ranksAsThreadsAreOneProcessThatKnowsTheirNumber() throws Exception {
    Distrirun.Result result =
        distrirun.run("--threads --nproc_per_node=4 --threads_per_rank=2 " + PROBE);
    assertEquals(0, result.status());
    assertEquals("4", need(result.out(), "", "DISTRIFUSER_LOCAL_RANKS"));
    assertEquals("1", need(result.out(), "", "WORLD_SIZE"));
    assertEquals("2", need(result.out(), "", "DISTRIFUSER_THREADS"));
  }

  @Test
  void theSecondMachinesRanksFollowTheFirstOnes() throws Exception {
    Distrirun.Result result =
        distrirun.run(
            Map.of("DISTRIFUSER_SECRET", "shared"),
            List.of(
                "--nnodes=3",
                "--node_rank=1",
                "--nproc_per_node=1",
                "--master_addr=10.0.0.1",
                PROBE,
                "1:error:1:no such thing"));
    assertEquals(1, result.status());
    assertEquals(List.of(), result.out(), "standard output is rank 0's");
    assertEquals("3", need(result.err(), "[rank 1] ", "WORLD_SIZE"));
    assertEquals("0", need(result.err(), "[rank 1] ", "LOCAL_RANK"));
    assertEquals("10.0.0.1", need(result.err(), "[rank 1] ", "MASTER_ADDR"));
    assertEquals("29500", need(result.err(), "[rank 1] ", "MASTER_PORT"));
    assertEquals("shared", need(result.err(), "[rank 1] ", "DISTRIFUSER_SECRET"));
    assertEquals(1, result.errors().size());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--frobnicate main",
        "--nproc_per_nod 1 main",
        "-n 1 main",
        "--nproc_per_node 0 main",
        "--nproc_per_node -1 main",
        "--nproc_per_node 1.5 main",
        "--nproc_per_node= main",
        "--nproc_per_node 99999999999999999999 main",
        "--nproc_per_node",
        "--threads=yes main",
        "--threads_per_rank 0 main",
        "--max_memory 4gigs main",
        "--max_memory 1k main",
        "--max_memory 99999999t main",
        "--master_port 70000 main",
        "--nnodes 2 main",
        "--node_rank 1 main",
        "--nnodes 2 --master_addr a main",
        "--nproc_per_node 2",
        "no_such_alias",
        "../../etc/passwd",
      })
  void aWrongCommandLineIsStatus2AndOneErrorLine(String args) throws Exception {
    Distrirun.Result result = distrirun.run(args);
    assertEquals(2, result.status(), result.err().toString());
    assertEquals(List.of(), result.out());
    assertEquals(1, result.err().size(), result.err().toString());
    assertTrue(result.err().get(0).startsWith("error: "), result.err().get(0));
    String offender =
        Arrays.stream(args.split("[ =]")).filter(word -> !word.equals("main")).findFirst().get();
    if (!args.equals("--nproc_per_node 2")) {
      assertTrue(result.err().get(0).contains(offender), result.err().get(0));
    }
  }

  @Test
  void aMainThatDoesNotExistIsStatus2() throws Exception {
    Distrirun.Result result = distrirun.run("--nproc_per_node=2 org.example.Nothing");
    assertEquals(2, result.status());
    assertEquals(
        List.of("error: there is no class org.example.Nothing on the class path"), result.err());
  }

  @ParameterizedTest
  @CsvSource({"0,0", "1,1", "2,2", "3,1", "77,1"})
  void theStatusOfOneRank(int given, int expected) throws Exception {
    assertEquals(expected, distrirun.run(PROBE + " 0:exit:" + given).status());
  }

  @Test
  void anExceptionIsStatus1WithAnErrorLine() throws Exception {
    Distrirun.Result result = distrirun.run(PROBE + " 0:throw");
    assertEquals(1, result.status());
    assertEquals(1, result.errors().size());
    assertTrue(result.errors().get(0).contains("as told"));
  }

  @Test
  void whatAllRanksSayIsSaidOnce() throws Exception {
    Distrirun.Result result =
        distrirun.run("--nproc_per_node=2 " + PROBE + " all:error:2:unknown-option");
    assertEquals(2, result.status());
    assertEquals(List.of("error: unknown-option"), result.errors());
  }

  @Test
  void theErrorOfTheRankThatFailedIsTheLastLineAndNamesIt() throws Exception {
    Distrirun.Result result =
        distrirun.run(
            Map.of(),
            List.of(
                "--nproc_per_node=2",
                PROBE,
                "0:error:1:rank 1 closed the connection at step 3",
                "1:error:1:model.safetensors: cut short"));
    assertEquals(1, result.status());
    assertEquals(List.of("error: rank 1: model.safetensors: cut short"), result.errors());
    assertEquals(result.errors().get(0), result.err().get(result.err().size() - 1));
    assertTrue(result.err().contains("[rank 0] rank 1 closed the connection at step 3"));
  }

  @Test
  void aRankWithoutAMessageIsNamed() throws Exception {
    Distrirun.Result result = distrirun.run("--nproc_per_node=2 " + PROBE + " 1:exit:5");
    assertEquals(1, result.status());
    assertEquals(List.of("error: rank 1 ended with status 5 and no message"), result.errors());
  }

  @Test
  void aKilledRankEndsTheOthersThatHang() throws Exception {
    Process process =
        distrirun.start(Map.of(), List.of("--nproc_per_node=2", PROBE, "0:sleep", "1:kill"));
    List<Long> pids = pidsOfTwoRanks(process);
    Distrirun.Result result = distrirun.finish(process);
    assertEquals(1, result.status());
    assertEquals(List.of("error: rank 1 was killed by signal 9 (KILL)"), result.errors());
    assertTrue(
        result.err().stream().allMatch(line -> line.matches("(\\[rank [01]] |error: ).*")),
        "nothing of the shell's own: " + result.err());
    assertGone(pids);
  }

  @Test
  void aRankThatIgnoresTheRequestToEndIsKilled() throws Exception {
    Process process =
        distrirun.start(Map.of(), List.of("--nproc_per_node=2", PROBE, "0:stubborn", "1:exit:1"));
    Distrirun.Result result = distrirun.finish(process);
    assertEquals(1, result.status());
    assertEquals(List.of("error: rank 1 ended with status 1 and no message"), result.errors());
    assertGone(List.of(Long.valueOf(need(result.err(), "[rank 0] ", "pid"))));
  }

  @ParameterizedTest
  @CsvSource({"TERM,15", "INT,2"})
  void aSignalEndsAllRanks(String name, int number) throws Exception {
    Process process = distrirun.start(Map.of(), List.of("--nproc_per_node=2", PROBE, "all:sleep"));
    List<Long> pids = pidsOfTwoRanks(process);
    new ProcessBuilder("bash", "-c", "kill -" + name + " " + process.pid()).start().waitFor();
    Distrirun.Result result = distrirun.finish(process);
    assertEquals(1, result.status());
    assertEquals(
        List.of("error: stopped by signal " + number + " (" + name + ")"), result.errors());
    assertGone(pids);
  }

  @Test
  void noRankOutlivesALauncherThatIsKilled() throws Exception {
    Process process = distrirun.start(Map.of(), List.of("--nproc_per_node=2", PROBE, "all:sleep"));
    List<Long> pids = pidsOfTwoRanks(process);
    process.destroyForcibly().waitFor();
    for (long pid : pids) {
      Optional<ProcessHandle> rank = ProcessHandle.of(pid);
      if (rank.isPresent()) {
        rank.get().onExit().get(60, TimeUnit.SECONDS);
      }
    }
    assertGone(pids);
  }
}
