package io.github.distrifuser.comm;

import java.time.Duration;
import java.util.Map;

/**
 * Who this process is among the ranks of a run, as its launcher says through the environment.
 *
 * @param launcher what started it
 * @param rank its number, in [0, worldSize)
 * @param worldSize number of ranks
 * @param localRank its number among the ranks of its host
 * @param localWorldSize number of ranks of its host
 * @param masterAddress host name or address of rank 0; empty for a world of one
 * @param masterPort port on which rank 0 listens while the ranks find each other; 0 for a world of
 *     one
 * @param runKey tells this run, and this start of it, from others; may be empty
 * @param secret what all ranks of the run know and nobody else does; empty for a world of one
 * @param hangAfter a rank from which nothing was heard for so long hangs
 */
public record RankEnvironment(
    Launcher launcher,
    int rank,
    int worldSize,
    int localRank,
    int localWorldSize,
    String masterAddress,
    int masterPort,
    String runKey,
    String secret,
    Duration hangAfter) {

  /** What starts ranks. */
  public enum Launcher {
    /** torchrun, distrirun, and whatever else sets RANK and WORLD_SIZE. */
    TORCHRUN,
    OPEN_MPI,
    /** MPICH, Intel MPI and their kin. */
    PMI,
    SLURM,
    /** None: a world of one. */
    NONE
  }

  /** How long a rank may be silent where DISTRIFUSER_HANG_SECONDS says nothing. */
  public static final Duration DEFAULT_HANG = Duration.ofSeconds(40);

  /** What {@link #positive} wants where nothing more is to be said. */
  public static final String WHOLE_NUMBER = "a positive whole number";

  static final int MOST_RANKS = 65536;

  /**
   * Checks the numbers.
   *
   * @throws IllegalArgumentException where they contradict each other, or where several ranks have
   *     no secret or nowhere to meet
   */
  public RankEnvironment {
    if (worldSize < 1 || worldSize > MOST_RANKS) {
      throw new IllegalArgumentException(
          "the number of ranks must be from 1 to " + MOST_RANKS + ", found " + worldSize);
    }
    if (rank < 0 || rank >= worldSize) {
      throw new IllegalArgumentException("there is no rank " + rank + " among " + worldSize);
    }
    if (localRank < 0 || localRank >= localWorldSize || localWorldSize > worldSize) {
      throw new IllegalArgumentException(
          "rank %d of %d cannot be local rank %d of %d"
              .formatted(rank, worldSize, localRank, localWorldSize));
    }
    if (hangAfter.isZero() || hangAfter.isNegative()) {
      throw new IllegalArgumentException("a rank cannot hang after " + hangAfter);
    }
    if (worldSize > 1 && (masterAddress.isBlank() || masterPort < 1 || masterPort > 65535)) {
      throw new IllegalArgumentException(
          worldSize + " ranks cannot meet at '" + masterAddress + "', port " + masterPort);
    }
    if (worldSize > 1 && secret.isBlank()) {
      throw new IllegalArgumentException(worldSize + " ranks need a secret");
    }
  }

  /** A world of one. */
  public static RankEnvironment alone() {
    return new RankEnvironment(Launcher.NONE, 0, 1, 0, 1, "", 0, "", "", DEFAULT_HANG);
  }

  /**
   * As an environment says. The first of these that is there counts: torchrun's variables, Open
   * MPI's, PMI's, those of a Slurm step of several tasks.
   *
   * @param env the variables, as {@link System#getenv()} gives them
   * @throws IllegalArgumentException naming a variable that is missing or has no sensible value
   */
  public static RankEnvironment of(Map<String, String> env) {
    return new RankVariables(env).read();
  }

  /** CPU threads of each rank, as the launcher sets them; 0 where it does not. */
  public static int threads(Map<String, String> env) {
    return positive(env, "DISTRIFUSER_THREADS", WHOLE_NUMBER, 0);
  }

  /**
   * A variable's positive whole number.
   *
   * @param wanted what the message says it must be
   * @param otherwise where it is not set, or empty
   * @throws IllegalArgumentException naming the variable where it is anything else
   */
  public static int positive(Map<String, String> env, String name, String wanted, int otherwise) {
    String value = env.get(name);
    if (value == null || value.isEmpty()) {
      return otherwise;
    }
    try {
      int n = Integer.parseInt(value);
      if (n > 0) {
        return n;
      }
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          name + " must be " + wanted + ", found '" + value + "'", e);
    }
    throw new IllegalArgumentException(name + " must be " + wanted + ", found '" + value + "'");
  }

  /** Everything but the secret. */
  @Override
  public String toString() {
    return "rank %d of %d (local %d of %d, %s%s)"
        .formatted(
            rank,
            worldSize,
            localRank,
            localWorldSize,
            launcher,
            worldSize > 1 ? ", master " + masterAddress + ":" + masterPort : "");
  }
}
