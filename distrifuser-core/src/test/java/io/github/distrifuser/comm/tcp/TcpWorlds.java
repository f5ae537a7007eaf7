package io.github.distrifuser.comm.tcp;

import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.RankEnvironment;
import io.github.distrifuser.comm.RankEnvironment.Launcher;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;

/** Worlds whose ranks are threads of the test's JVM, each with its own connections. */
final class TcpWorlds {
  static final Duration START = Duration.ofSeconds(60);
  static final Duration HANG = Duration.ofSeconds(60);
  private static final int LIMIT_S = 120;

  private TcpWorlds() {}

  static int freePort() {
    try (ServerSocket s = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return s.getLocalPort();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static RankEnvironment rank(int rank, int size, int port) {
    return rank(rank, size, port, "the secret", HANG);
  }

  static RankEnvironment rank(int rank, int size, int port, String secret, Duration hang) {
    return new RankEnvironment(
        Launcher.TORCHRUN, rank, size, rank, size, "127.0.0.1", port, "run/0", secret, hang);
  }

  /** What went wrong in a task, or its result. */
  record Outcome<T>(T value, Throwable failure) {}

  /** Runs tasks side by side and waits for all. */
  static <T> List<Outcome<T>> together(List<Callable<T>> tasks) {
    ExecutorService threads = Executors.newCachedThreadPool();
    try {
      List<Future<T>> futures = tasks.stream().map(threads::submit).toList();
      List<Outcome<T>> outcomes = new ArrayList<>();
      for (Future<T> f : futures) {
        try {
          outcomes.add(new Outcome<>(f.get(LIMIT_S, TimeUnit.SECONDS), null));
        } catch (ExecutionException e) {
          outcomes.add(new Outcome<>(null, e.getCause()));
        }
      }
      return outcomes;
    } catch (InterruptedException | TimeoutException e) {
      throw new AssertionError("the ranks did not end", e);
    } finally {
      threads.shutdownNow();
    }
  }

  /** Connects ranks side by side. */
  static List<Outcome<Communicator>> connect(
      List<RankEnvironment> ranks, List<Map<String, String>> fingerprints, Duration timeout) {
    List<Callable<Communicator>> tasks = new ArrayList<>();
    for (int i = 0; i < ranks.size(); i++) {
      int r = i;
      tasks.add(() -> TcpCommunicators.connect(ranks.get(r), fingerprints.get(r), timeout));
    }
    return together(tasks);
  }

  /** A world of n ranks. */
  static List<Communicator> open(int n) {
    return open(n, HANG);
  }

  static List<Communicator> open(int n, Duration hang) {
    int port = freePort();
    List<RankEnvironment> ranks = new ArrayList<>();
    List<Map<String, String>> fingerprints = new ArrayList<>();
    for (int r = 0; r < n; r++) {
      ranks.add(rank(r, n, port, "the secret", hang));
      fingerprints.add(Map.of("model", "abc"));
    }
    List<Communicator> world = new ArrayList<>();
    for (Outcome<Communicator> o : connect(ranks, fingerprints, START)) {
      if (o.failure() != null) {
        throw new AssertionError("no start", o.failure());
      }
      world.add(o.value());
    }
    return world;
  }

  /** Each rank's outcome of a program. */
  static <T> List<Outcome<T>> outcomes(
      List<Communicator> world, Function<Communicator, T> program) {
    List<Callable<T>> tasks = new ArrayList<>();
    for (Communicator c : world) {
      tasks.add(() -> program.apply(c));
    }
    return together(tasks);
  }

  /** Runs a program on n ranks, closes the world and gives the results in rank order. */
  static <T> List<T> run(int n, Function<Communicator, T> program) {
    List<Communicator> world = open(n);
    List<Outcome<T>> outcomes = outcomes(world, program);
    closeAll(world);
    List<T> results = new ArrayList<>();
    for (Outcome<T> o : outcomes) {
      if (o.failure() != null) {
        throw new AssertionError("a rank failed", o.failure());
      }
      results.add(o.value());
    }
    return results;
  }

  static void closeAll(List<Communicator> world) {
    outcomes(
        world,
        c -> {
          c.close();
          return true;
        });
  }

  /** Names of the event loops that live. */
  static List<String> loops() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(Thread::isAlive)
        .map(Thread::getName)
        .filter(n -> n.startsWith("distrifuser-comm"))
        .toList();
  }
}
