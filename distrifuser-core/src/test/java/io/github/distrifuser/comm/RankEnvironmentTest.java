package io.github.distrifuser.comm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.comm.RankEnvironment.Launcher;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RankEnvironmentTest {
  private static final Map<String, String> MEETING =
      Map.of("MASTER_ADDR", "10.1.2.3", "MASTER_PORT", "29500", "DISTRIFUSER_SECRET", "s3cret");

  private static final Map<String, String> DISTRIRUN =
      with(MEETING, "RANK", "3", "WORLD_SIZE", "4", "LOCAL_RANK", "1", "LOCAL_WORLD_SIZE", "2");

  private static final Map<String, String> TORCHRUN =
      with(
          DISTRIRUN,
          "GROUP_RANK",
          "1",
          "ROLE_RANK",
          "3",
          "OMP_NUM_THREADS",
          "1",
          "TORCHELASTIC_USE_AGENT_STORE",
          "True",
          "TORCHELASTIC_RUN_ID",
          "none",
          "TORCHELASTIC_RESTART_COUNT",
          "0",
          "TORCHELASTIC_MAX_RESTARTS",
          "3");

  private static final Map<String, String> SRUN =
      with(
          MEETING,
          "SLURM_PROCID",
          "5",
          "SLURM_NTASKS",
          "6",
          "SLURM_STEP_NUM_TASKS",
          "6",
          "SLURM_LOCALID",
          "1",
          "SLURM_NODEID",
          "2",
          "SLURM_STEP_TASKS_PER_NODE",
          "2(x3)",
          "SLURM_STEP_NODELIST",
          "node[01-03]");

  private static Map<String, String> with(Map<String, String> env, String... more) {
    Map<String, String> all = new HashMap<>(env);
    for (int i = 0; i < more.length; i += 2) {
      all.put(more[i], more[i + 1]);
    }
    return all;
  }

  private static Map<String, String> without(Map<String, String> env, String... names) {
    Map<String, String> all = new HashMap<>(env);
    for (String n : names) {
      all.remove(n);
    }
    return all;
  }

  private static void assertRefused(Map<String, String> env, String... parts) {
    String message =
        assertThrows(IllegalArgumentException.class, () -> RankEnvironment.of(env)).getMessage();
    for (String p : parts) {
      assertTrue(message.contains(p), message);
    }
  }

  private static void assertRanks(
      RankEnvironment e, Launcher launcher, int rank, int size, int localRank, int localSize) {
    assertEquals(launcher, e.launcher());
    assertEquals(rank, e.rank());
    assertEquals(size, e.worldSize());
    assertEquals(localRank, e.localRank());
    assertEquals(localSize, e.localWorldSize());
  }

  @Test
  void nothingIsOneRank() {
    assertEquals(RankEnvironment.alone(), RankEnvironment.of(Map.of()));
    assertRanks(RankEnvironment.of(Map.of("PATH", "/bin")), Launcher.NONE, 0, 1, 0, 1);
  }

  @Test
  void distrirun() {
    RankEnvironment e = RankEnvironment.of(DISTRIRUN);
    assertRanks(e, Launcher.TORCHRUN, 3, 4, 1, 2);
    assertEquals("10.1.2.3", e.masterAddress());
    assertEquals(29500, e.masterPort());
    assertEquals("s3cret", e.secret());
    assertEquals("", e.runKey());
    assertEquals(Duration.ofSeconds(40), e.hangAfter());
    assertFalse(e.toString().contains("s3cret"));
  }

  @Test
  void torchrunsAgentKeepsItsPort() {
    RankEnvironment e = RankEnvironment.of(TORCHRUN);
    assertRanks(e, Launcher.TORCHRUN, 3, 4, 1, 2);
    assertTrue(e.masterPort() >= 20000 && e.masterPort() < 60000, e.toString());
    assertEquals(e.masterPort(), RankEnvironment.of(with(TORCHRUN, "RANK", "2")).masterPort());
    RankEnvironment again = RankEnvironment.of(with(TORCHRUN, "TORCHELASTIC_RESTART_COUNT", "1"));
    assertNotEquals(e.masterPort(), again.masterPort());
    assertNotEquals(e.runKey(), again.runKey());
    RankEnvironment other = RankEnvironment.of(with(TORCHRUN, "TORCHELASTIC_RUN_ID", "job 7"));
    assertNotEquals(e.masterPort(), other.masterPort());
    assertNotEquals(e.runKey(), other.runKey());
    RankEnvironment free =
        RankEnvironment.of(with(TORCHRUN, "TORCHELASTIC_USE_AGENT_STORE", "False"));
    assertEquals(29500, free.masterPort());
    assertEquals(e.runKey(), free.runKey());
  }

  @Test
  void openMpi() {
    Map<String, String> env =
        with(
            MEETING,
            "OMPI_COMM_WORLD_RANK",
            "1",
            "OMPI_COMM_WORLD_SIZE",
            "4",
            "OMPI_COMM_WORLD_LOCAL_RANK",
            "1",
            "OMPI_COMM_WORLD_LOCAL_SIZE",
            "2",
            "PMIX_RANK",
            "1");
    assertRanks(RankEnvironment.of(env), Launcher.OPEN_MPI, 1, 4, 1, 2);
    assertRefused(without(env, "OMPI_COMM_WORLD_LOCAL_RANK"), "OMPI_COMM_WORLD_LOCAL_RANK", "4");
    assertRefused(without(env, "MASTER_ADDR"), "MASTER_ADDR and MASTER_PORT must be set");
    assertRefused(without(env, "MASTER_PORT"), "MASTER_ADDR and MASTER_PORT must be set");
  }

  @Test
  void intelMpi() {
    Map<String, String> env =
        with(
            MEETING,
            "PMI_RANK",
            "2",
            "PMI_SIZE",
            "3",
            "MPI_LOCALRANKID",
            "0",
            "MPI_LOCALNRANKS",
            "1");
    assertRanks(RankEnvironment.of(env), Launcher.PMI, 2, 3, 0, 1);
    assertRefused(without(env, "MPI_LOCALNRANKS"), "MPI_LOCALNRANKS");
  }

  @Test
  void srun() {
    assertRanks(RankEnvironment.of(SRUN), Launcher.SLURM, 5, 6, 1, 2);
    RankEnvironment uneven =
        RankEnvironment.of(
            with(SRUN, "SLURM_STEP_TASKS_PER_NODE", "2(x2),1,1", "SLURM_LOCALID", "0"));
    assertRanks(uneven, Launcher.SLURM, 5, 6, 0, 1);
    assertRanks(
        RankEnvironment.of(with(SRUN, "PMI_RANK", "5", "PMI_SIZE", "6")), Launcher.PMI, 5, 6, 1, 2);
    assertRefused(with(SRUN, "SLURM_STEP_TASKS_PER_NODE", "2(x"), "SLURM_STEP_TASKS_PER_NODE");
    assertRefused(without(SRUN, "MASTER_ADDR", "MASTER_PORT"), "MASTER_ADDR", "MASTER_PORT", "6");
  }

  @Test
  void anAllocationWithoutAStepIsOneRank() {
    Map<String, String> interactive =
        with(SRUN, "SLURM_PROCID", "0", "SLURM_STEP_NUM_TASKS", "1", "SLURM_NTASKS", "6");
    assertRanks(RankEnvironment.of(interactive), Launcher.SLURM, 0, 1, 0, 1);
    Map<String, String> batch = without(with(SRUN, "SLURM_PROCID", "0"), "SLURM_STEP_NUM_TASKS");
    assertRanks(RankEnvironment.of(batch), Launcher.NONE, 0, 1, 0, 1);
  }

  @Test
  void theFirstLauncherCounts() {
    Map<String, String> all = with(DISTRIRUN, "OMPI_COMM_WORLD_RANK", "0", "PMI_RANK", "0");
    all.putAll(SRUN);
    assertRanks(RankEnvironment.of(all), Launcher.TORCHRUN, 3, 4, 1, 2);
    all.putAll(Map.of("OMPI_COMM_WORLD_SIZE", "2", "OMPI_COMM_WORLD_LOCAL_RANK", "0"));
    all.put("OMPI_COMM_WORLD_LOCAL_SIZE", "2");
    all = without(all, "RANK", "WORLD_SIZE");
    assertRanks(RankEnvironment.of(all), Launcher.OPEN_MPI, 0, 2, 0, 2);
  }

  @ParameterizedTest
  @CsvSource({
    "RANK, 4, from 0 to 3",
    "RANK, -1, from 0 to 3",
    "RANK, x, from 0 to 3",
    "WORLD_SIZE, 0, from 1 to 65536",
    "WORLD_SIZE, 99999999999, from 1 to 65536",
    "LOCAL_RANK, 2, from 0 to 1",
    "LOCAL_WORLD_SIZE, 5, from 1 to 4",
    "MASTER_PORT, 70000, from 1 to 65535",
    "MASTER_PORT, 29500x, from 1 to 65535",
    "DISTRIFUSER_HANG_SECONDS, soon, at least 0.1",
    "DISTRIFUSER_HANG_SECONDS, 0, at least 0.1",
    "DISTRIFUSER_HANG_SECONDS, NaN, at least 0.1",
  })
  void aBadNumberIsNamed(String name, String value, String wanted) {
    assertRefused(with(DISTRIRUN, name, value), name + " must be", wanted, "'" + value + "'");
  }

  @Test
  void whatIsMissingIsNamed() {
    for (String name :
        new String[] {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT"}) {
      assertRefused(without(DISTRIRUN, name), name);
    }
    assertRefused(without(TORCHRUN, "DISTRIFUSER_SECRET"), "DISTRIFUSER_SECRET must be set", "4");
    assertRefused(with(DISTRIRUN, "DISTRIFUSER_SECRET", " "), "DISTRIFUSER_SECRET must be set");
  }

  @Test
  void oneRankNeedsNeitherSecretNorMaster() {
    assertRanks(
        RankEnvironment.of(Map.of("RANK", "0", "WORLD_SIZE", "1")), Launcher.TORCHRUN, 0, 1, 0, 1);
  }

  @Test
  void fractionsOfSeconds() {
    assertEquals(
        Duration.ofMillis(2500),
        RankEnvironment.of(with(DISTRIRUN, "DISTRIFUSER_HANG_SECONDS", "2.5")).hangAfter());
  }

  @Test
  void contradictionsAreRefused() {
    Duration minute = Duration.ofMinutes(1);
    assertThrows(
        IllegalArgumentException.class,
        () -> new RankEnvironment(Launcher.NONE, 1, 1, 0, 1, "", 0, "", "", minute));
    assertThrows(
        IllegalArgumentException.class,
        () -> new RankEnvironment(Launcher.NONE, 0, 2, 0, 1, "h", 1, "", "", minute));
    assertThrows(
        IllegalArgumentException.class,
        () -> new RankEnvironment(Launcher.NONE, 0, 2, 0, 1, "", 1, "", "s", minute));
  }
}
