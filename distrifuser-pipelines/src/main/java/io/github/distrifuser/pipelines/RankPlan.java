package io.github.distrifuser.pipelines;

import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.RankEnvironment;
import io.github.distrifuser.comm.tcp.TcpCommunicators;
import java.time.Duration;
import java.util.Map;

/**
 * How the ranks of a pipeline are made: by the caller's communicator, as threads, or as the
 * environment says.
 *
 * @param world the processes; a group of one where ranks are threads
 * @param ownsWorld whether the pipeline closes it
 * @param localRank this process's number among those of this host
 * @param threads ranks that are threads of this process; 1 where they are processes
 * @param threadsPerRank CPU threads of each rank; 0 for the backend's default
 */
record RankPlan(
    Communicator world, boolean ownsWorld, int localRank, int threads, int threadsPerRank)
    implements AutoCloseable {

  /** Set by the launcher: ranks as threads of one JVM. */
  private static final String LOCAL_RANKS = "DISTRIFUSER_LOCAL_RANKS";

  /** How long ranks may take to meet. */
  private static final String START_SECONDS = "DISTRIFUSER_START_SECONDS";

  private static final int DEFAULT_START_SECONDS = 300;

  /**
   * The ranks that the options ask for; with several processes returns when all have met.
   *
   * @throws io.github.distrifuser.comm.CommException naming a rank that does not come, or is of
   *     another version
   */
  static RankPlan find(LoadOptions options) {
    return find(options, System.getenv());
  }

  private static RankPlan find(LoadOptions options, Map<String, String> env) {
    Communicator given = options.communicator();
    if (given != null) {
      return new RankPlan(given, false, HostRanks.localRank(given), 1, options.threads());
    }
    int threads =
        options.localRanks() > 1
            ? options.localRanks()
            : RankEnvironment.positive(env, LOCAL_RANKS, RankEnvironment.WHOLE_NUMBER, 1);
    RankEnvironment environment = threads > 1 ? RankEnvironment.alone() : RankEnvironment.of(env);
    int perRank = options.threads() > 0 ? options.threads() : RankEnvironment.threads(env);
    int here = Math.max(threads, environment.localWorldSize());
    if (perRank == 0 && here > 1) {
      perRank = Math.max(1, Runtime.getRuntime().availableProcessors() / here);
    }
    Communicator world =
        TcpCommunicators.connect(environment, Map.of("version", version()), startTimeout(env));
    return new RankPlan(world, true, environment.localRank(), threads, perRank);
  }

  private static String version() {
    String v = RankPlan.class.getPackage().getImplementationVersion();
    return v == null ? "development" : v;
  }

  private static Duration startTimeout(Map<String, String> env) {
    return Duration.ofSeconds(
        RankEnvironment.positive(
            env, START_SECONDS, RankEnvironment.WHOLE_NUMBER, DEFAULT_START_SECONDS));
  }

  /** CPU threads of what one rank does alone: all that this process's ranks have together. */
  int threadsOfFront() {
    return threadsPerRank * threads;
  }

  /** Tells the other processes that this one has failed. */
  void failed(Throwable cause) {
    if (world.size() > 1) {
      String m = cause.getMessage() == null ? cause.getClass().getName() : cause.getMessage();
      world.abort(cause instanceof OutOfMemoryError ? "out of memory: " + m : m);
    }
  }

  @Override
  public void close() {
    if (ownsWorld) {
      world.close();
    }
  }
}
