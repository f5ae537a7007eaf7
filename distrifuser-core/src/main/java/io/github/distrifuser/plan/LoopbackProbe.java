package io.github.distrifuser.plan;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * What messages between processes of this machine cost: two ranks of this JVM exchange small and
 * large ones over the loopback interface. All cores are at work meanwhile, so that what a large one
 * takes is what it takes away from computing.
 */
final class LoopbackProbe {
  private static final long LARGE = 8L << 20;
  private static final int SMALL_TIMES = 200;
  private static final int LARGE_TIMES = 12;

  private LoopbackProbe() {}

  /**
   * Costs of messages.
   *
   * @param latency seconds of an exchange of a few bytes
   * @param secondsPerByte of a rank that sends and receives as much at the same time
   */
  record Costs(double latency, double secondsPerByte) {
    /** Of a core, for posting and handling messages: half of what four take in an exchange. */
    double seconds(int messages) {
      return messages * latency / 8;
    }
  }

  /** Measures. */
  static Costs measure(Supplier<Backend> backends) {
    LoopbackWorld pair = LoopbackWorld.of(2);
    CompletableFuture<Costs> other =
        CompletableFuture.supplyAsync(
            () -> run(1, pair, backends), r -> new Thread(r, "distrifuser-probe").start());
    Costs mine = run(0, pair, backends);
    other.join();
    return mine;
  }

  private static Costs run(int rank, LoopbackWorld pair, Supplier<Backend> backends) {
    try (Backend backend = backends.get();
        Communicator world = pair.connect(rank);
        Tensor small = backend.allocate(DType.U8, Shape.of(2, 64));
        Tensor large = backend.allocate(DType.U8, Shape.of(2, LARGE))) {
      exchange(world, small, SMALL_TIMES / 2);
      exchange(world, large, 2);
      double latency = exchange(world, small, SMALL_TIMES);
      double seconds = exchange(world, large, LARGE_TIMES);
      return new Costs(latency, Math.max(0, seconds - latency) / LARGE);
    }
  }

  /** Seconds of an exchange, the mean of several. */
  private static double exchange(Communicator world, Tensor both, int times) {
    int peer = 1 - world.rank();
    world.barrier();
    long start = System.nanoTime();
    for (int i = 0; i < times; i++) {
      world
          .exchange(
              List.of(
                  Transfer.send(peer, 0, both.slice(0, 0, 1)),
                  Transfer.receive(peer, 0, both.slice(0, 1, 2))))
          .await();
    }
    return (System.nanoTime() - start) * 1e-9 / times;
  }
}
