package io.github.distrifuser.comm;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.comm.local.LocalCommunicators;
import io.github.distrifuser.tensor.Tensor;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class DelayedCommunicatorTest extends CommunicatorSuite {

  @Override
  public void run(int ranks, RankProgram program) {
    run(ranks, Duration.ofMillis(1), program);
  }

  private static void run(int ranks, Duration delay, RankProgram program) {
    try (LocalCommunicators world = LocalCommunicators.create(ranks)) {
      RankThreads.run(
          world.ranks().stream().map(c -> new DelayedCommunicator(c, delay)).toList(), program);
    }
  }

  private interface Call {
    void run();
  }

  private static void assertTakes(Duration atLeast, Call call) {
    long start = System.nanoTime();
    call.run();
    Duration took = Duration.ofNanos(System.nanoTime() - start);
    assertTrue(took.compareTo(atLeast) >= 0, "took " + took);
  }

  @Test
  void everyOperationTakesTheDelayAtLeast() {
    Duration delay = Duration.ofMillis(30);
    run(
        2,
        delay,
        world -> {
          try (TestRank me = new TestRank(world)) {
            Communicator group = world.group(List.of(0, 1));
            Tensor t = me.of(1);
            Transfer x =
                me.rank == 0 ? Transfer.send(1, 0, t) : Transfer.receive(0, 0, me.empty(1));
            for (Communicator c : List.of(world, group)) {
              assertTakes(delay, () -> c.exchange(List.of(x)).await());
              assertTakes(delay, () -> c.allReduceSum(t).await());
              assertTakes(delay, () -> c.allGather(List.of(me.of(1), me.of(2))).await());
              assertTakes(delay, c::barrier);
              assertTakes(delay, () -> c.broadcast(new byte[3], 1));
              assertTakes(delay, () -> c.allGatherBytes(new byte[3]));
            }
          }
        });
  }

  @Test
  void postingReturnsBeforeAnythingArrives() {
    run(
        2,
        Duration.ofMillis(300),
        world -> {
          try (TestRank me = new TestRank(world)) {
            Tensor in = me.empty(1);
            long start = System.nanoTime();
            Work w =
                me.post(me.rank == 0 ? Transfer.send(1, 0, me.of(5)) : Transfer.receive(0, 0, in));
            boolean done = w.isDone();
            float held = me.backend.toFloats(in)[0];
            if (System.nanoTime() - start < Duration.ofMillis(300).toNanos()) {
              assertFalse(done);
              assertTrue(held == -1, "it came at once");
            }
            w.await();
            me.assertHolds(in, me.rank == 0 ? -1 : 5);
          }
        });
  }

  @Test
  void closingEndsTheThread() throws InterruptedException {
    try (LocalCommunicators world = LocalCommunicators.create(1)) {
      DelayedCommunicator c = new DelayedCommunicator(world.ranks().get(0), Duration.ofMillis(1));
      c.barrier();
      List<Thread> threads = delayThreads().toList();
      assertFalse(threads.isEmpty());
      c.close();
      c.close();
      for (Thread t : threads) {
        t.join(TimeUnit.SECONDS.toMillis(60));
      }
      assertTrue(threads.stream().noneMatch(Thread::isAlive));
      assertThrows(CommException.class, c::barrier);
    }
  }

  private static Stream<Thread> delayThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(t -> t.getName().startsWith("distrifuser-delay"));
  }

  @Test
  void aNegativeDelayIsRefused() {
    try (LocalCommunicators world = LocalCommunicators.create(1)) {
      Communicator c = world.ranks().get(0);
      assertThrows(
          IllegalArgumentException.class, () -> new DelayedCommunicator(c, Duration.ofNanos(-1)));
    }
  }
}
