package io.github.distrifuser.comm;

import io.github.distrifuser.comm.RankEnvironment.Launcher;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/** Reads a {@link RankEnvironment} from environment variables. */
final class RankVariables {
  private static final int FIRST_DERIVED_PORT = 20000;
  private static final int DERIVED_PORTS = 40000;
  private static final double LONGEST_HANG_S = 1e6;
  private static final Pattern WHOLE = Pattern.compile("[0-9]{1,9}");
  private static final Pattern TASKS = Pattern.compile("([0-9]{1,9})(?:\\(x([0-9]{1,9})\\))?");

  private final Map<String, String> env;

  RankVariables(Map<String, String> env) {
    this.env = env;
  }

  RankEnvironment read() {
    if (has("RANK") || has("WORLD_SIZE")) {
      return ranks(
          Launcher.TORCHRUN, "RANK", "WORLD_SIZE", List.of("LOCAL_RANK"), "LOCAL_WORLD_SIZE");
    }
    if (has("OMPI_COMM_WORLD_RANK")) {
      return ranks(
          Launcher.OPEN_MPI,
          "OMPI_COMM_WORLD_RANK",
          "OMPI_COMM_WORLD_SIZE",
          List.of("OMPI_COMM_WORLD_LOCAL_RANK"),
          "OMPI_COMM_WORLD_LOCAL_SIZE");
    }
    if (has("PMI_RANK")) { // srun sets it too with some of its plug-ins
      return ranks(
          Launcher.PMI,
          "PMI_RANK",
          "PMI_SIZE",
          List.of("MPI_LOCALRANKID", "SLURM_LOCALID"),
          "MPI_LOCALNRANKS");
    }
    // Within an allocation and outside a step, SLURM_PROCID is 0 and there is one task.
    if (has("SLURM_PROCID") && has("SLURM_STEP_NUM_TASKS")) {
      return ranks(
          Launcher.SLURM, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", List.of("SLURM_LOCALID"), null);
    }
    return alone(Launcher.NONE);
  }

  private RankEnvironment alone(Launcher launcher) {
    return new RankEnvironment(launcher, 0, 1, 0, 1, "", 0, "", "", hangAfter());
  }

  private RankEnvironment ranks(
      Launcher launcher,
      String rankName,
      String sizeName,
      List<String> localRankNames,
      @Nullable String localSizeName) {
    int size = number(sizeName, 1, RankEnvironment.MOST_RANKS);
    int rank = number(rankName, 0, size - 1);
    if (size == 1) {
      return alone(launcher);
    }
    String localRankName = localRankNames.stream().filter(this::has).findFirst().orElse(null);
    if (localRankName == null) {
      throw missing(localRankNames.get(0), size);
    }
    int localSize =
        localSizeName != null && has(localSizeName)
            ? number(localSizeName, 1, size)
            : localSizeOfSlurm(localSizeName, size);
    int localRank = number(localRankName, 0, localSize - 1);
    if (!has("MASTER_ADDR") || !has("MASTER_PORT")) {
      throw new IllegalArgumentException(
          "MASTER_ADDR and MASTER_PORT must be set for "
              + size
              + " ranks: the address of rank 0 and a free port there");
    }
    if (!has("DISTRIFUSER_SECRET")) {
      throw new IllegalArgumentException(
          "DISTRIFUSER_SECRET must be set for "
              + size
              + " ranks: any long random text, the same on each");
    }
    int masterPort = number("MASTER_PORT", 1, 65535);
    String runId = env.getOrDefault("TORCHELASTIC_RUN_ID", "");
    String restart = env.getOrDefault("TORCHELASTIC_RESTART_COUNT", "");
    return new RankEnvironment(
        launcher,
        rank,
        size,
        localRank,
        localSize,
        value("MASTER_ADDR"),
        agentListens() ? derivedPort(runId, restart, masterPort) : masterPort,
        runId.isEmpty() && restart.isEmpty() ? "" : runId + "/" + restart,
        value("DISTRIFUSER_SECRET"),
        hangAfter());
  }

  /** True where torchrun's agent has bound MASTER_PORT. */
  private boolean agentListens() {
    return "True".equalsIgnoreCase(env.get("TORCHELASTIC_USE_AGENT_STORE"));
  }

  /** The same on all ranks of a start; another after a restart, when the old one may be in use. */
  static int derivedPort(String runId, String restart, int masterPort) {
    CRC32 crc = new CRC32();
    crc.update((runId + "\n" + restart + "\n" + masterPort).getBytes(StandardCharsets.UTF_8));
    return FIRST_DERIVED_PORT + (int) (crc.getValue() % DERIVED_PORTS);
  }

  /** Slurm lists the tasks of each node: "4(x2),1" is 4, 4 and 1. */
  private int localSizeOfSlurm(@Nullable String otherName, int size) {
    String name = "SLURM_STEP_TASKS_PER_NODE";
    if (!has(name)) {
      throw missing(otherName == null ? name : otherName, size);
    }
    List<Integer> tasks = new ArrayList<>();
    for (String part : value(name).split(",")) {
      Matcher m = TASKS.matcher(part.trim());
      if (!m.matches()) {
        throw bad(name, "a list such as 4(x2),1");
      }
      int nodes = m.group(2) == null ? 1 : Integer.parseInt(m.group(2));
      for (int i = 0; i < Math.min(nodes, RankEnvironment.MOST_RANKS); i++) {
        tasks.add(Integer.parseInt(m.group(1)));
      }
    }
    return tasks.get(tasks.size() == 1 ? 0 : number("SLURM_NODEID", 0, tasks.size() - 1));
  }

  private Duration hangAfter() {
    String name = "DISTRIFUSER_HANG_SECONDS";
    if (!has(name)) {
      return RankEnvironment.DEFAULT_HANG;
    }
    double seconds;
    try {
      seconds = Double.parseDouble(value(name));
    } catch (NumberFormatException e) {
      seconds = Double.NaN;
    }
    if (!(seconds >= 0.1 && seconds <= LONGEST_HANG_S)) {
      throw bad(name, "a number of seconds of at least 0.1");
    }
    return Duration.ofMillis((long) (seconds * 1000));
  }

  private boolean has(String name) {
    String v = env.get(name);
    return v != null && !v.isBlank();
  }

  private String value(String name) {
    String v = env.get(name);
    if (v == null || v.isBlank()) {
      throw new IllegalArgumentException(name + " is not set");
    }
    return v.trim();
  }

  private int number(String name, int lowest, int highest) {
    String v = value(name);
    int n = WHOLE.matcher(v).matches() ? Integer.parseInt(v) : -1;
    if (n < lowest || n > highest) {
      throw bad(name, "a whole number from " + lowest + " to " + highest);
    }
    return n;
  }

  private IllegalArgumentException bad(String name, String wanted) {
    return new IllegalArgumentException(
        name + " must be " + wanted + ", found '" + env.get(name) + "'");
  }

  private static IllegalArgumentException missing(String name, int size) {
    return new IllegalArgumentException(name + " must be set for " + size + " ranks");
  }
}
