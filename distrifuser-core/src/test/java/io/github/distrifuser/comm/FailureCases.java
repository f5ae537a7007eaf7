package io.github.distrifuser.comm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.tensor.Tensor;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Ranks that are late, fail or leave. */
public interface FailureCases extends CommunicatorCases {

  /** Something that needs all three ranks, or only the last one. */
  enum Operation {
    EXCHANGE {
      @Override
      void run(TestRank me, Communicator c) {
        Transfer t = Transfer.receive(c.size() - 1, 7, me.empty(1));
        c.exchange(List.of(t)).await();
      }
    },
    ALL_GATHER {
      @Override
      void run(TestRank me, Communicator c) {
        List<Tensor> slots = List.of(me.empty(1), me.empty(1), me.empty(1));
        c.allGather(slots.subList(0, c.size())).await();
      }
    },
    ALL_REDUCE {
      @Override
      void run(TestRank me, Communicator c) {
        c.allReduceSum(me.empty(1)).await();
      }
    },
    BROADCAST {
      @Override
      void run(TestRank me, Communicator c) {
        c.broadcast(new byte[1], c.size() - 1);
      }
    },
    ALL_GATHER_BYTES {
      @Override
      void run(TestRank me, Communicator c) {
        c.allGatherBytes(new byte[1]);
      }
    },
    BARRIER {
      @Override
      void run(TestRank me, Communicator c) {
        c.barrier();
      }
    };

    abstract void run(TestRank me, Communicator c);
  }

  private static void assertNames(int rank, CommException e) {
    assertEquals(rank, e.rank(), e.getMessage());
    assertTrue(e.getMessage().startsWith("rank " + rank + " "), e.getMessage());
  }

  private static void awaitAll(CountDownLatch latch) throws InterruptedException {
    assertTrue(latch.await(60, TimeUnit.SECONDS), "the others did not end");
  }

  @ParameterizedTest
  @EnumSource(Operation.class)
  default void theLateRankIsNamed(Operation operation) {
    CountDownLatch failed = new CountDownLatch(2);
    onRanks(
        3,
        me -> {
          if (me.rank < 2) {
            me.world.setTimeout(Duration.ofMillis(300));
            CommException e = assertThrows(CommException.class, () -> operation.run(me, me.world));
            failed.countDown();
            awaitAll(failed);
            assertNames(2, e);
            assertTrue(e.getMessage().contains("300 ms"), e.getMessage());
          } else {
            awaitAll(failed);
          }
        });
  }

  @Test
  default void theLateRankOfAGroupIsNamedByItsNumberInTheWorld() {
    CountDownLatch failed = new CountDownLatch(1);
    onRanks(
        4,
        me -> {
          me.world.setTimeout(Duration.ofSeconds(1));
          Communicator g = me.world.group(me.rank % 2 == 1 ? List.of(1, 3) : List.of(0, 2));
          if (me.rank == 1) {
            CommException e =
                assertThrows(CommException.class, () -> Operation.EXCHANGE.run(me, g));
            failed.countDown();
            assertNames(3, e);
            for (String part : List.of("1 s", "exchange", "tag 7")) {
              assertTrue(e.getMessage().contains(part), e.getMessage());
            }
          } else {
            awaitAll(failed);
          }
        });
  }

  @Test
  default void aWorkThatFailedIsNotDoneAndFailsAgain() {
    CountDownLatch failed = new CountDownLatch(1);
    onRanks(
        2,
        me -> {
          if (me.rank == 0) {
            me.world.setTimeout(Duration.ofMillis(100));
            Work w = me.post(Transfer.receive(1, 0, me.empty(1)));
            assertFalse(w.isDone());
            assertNames(1, assertThrows(CommException.class, w::await));
            assertFalse(w.isDone());
            assertNames(1, assertThrows(CommException.class, w::await));
            failed.countDown();
          }
          awaitAll(failed);
        });
  }

  @ParameterizedTest
  @EnumSource(Operation.class)
  default void anAbortWakesTheOthers(Operation operation) {
    AtomicReference<Thread> waiter = new AtomicReference<>();
    onRanks(
        3,
        me -> {
          if (me.rank == 2) {
            TestRank.untilItWaits(waiter);
            me.world.abort("the device is out of memory");
            me.world.abort("another reason");
          } else if (me.rank == 0) {
            waiter.set(Thread.currentThread());
          }
          for (int i = 0; i < 2; i++) { // what waits and what comes later
            CommException e =
                assertThrows(
                    CommException.class,
                    () -> {
                      if (me.rank == 2) {
                        me.world.barrier();
                      } else {
                        operation.run(me, me.world);
                      }
                    });
            assertNames(2, e);
            assertTrue(e.getMessage().contains("out of memory"), e.getMessage());
          }
        });
  }

  @Test
  default void anAccusationNamesTheOtherRankToAll() {
    onRanks(
        3,
        me -> {
          me.world.check();
          me.world.progress("step " + me.rank);
          me.world.barrier();
          int other = (me.rank + 1) % 3;
          assertEquals("step " + other, me.world.heard(other));
          if (me.rank == 0) {
            me.world.accuse(2, "rank 2 is late: nothing came");
          }
          CommException e =
              assertThrows(
                  CommException.class,
                  () -> {
                    for (int i = 0; i < 60_000; i++) {
                      me.world.check();
                      Thread.sleep(1);
                    }
                  });
          assertNames(2, e);
          assertTrue(e.getMessage().contains("nothing came"), e.getMessage());
        });
  }

  @Test
  default void anAbortReachesGroupsThatDoNotHaveTheRank() {
    List<AtomicReference<Thread>> waiters =
        List.of(new AtomicReference<>(), new AtomicReference<>());
    onRanks(
        3,
        me -> {
          Communicator g = me.world.group(me.rank < 2 ? List.of(0, 1) : List.of(2));
          if (me.rank == 2) {
            TestRank.untilItWaits(waiters.get(0));
            TestRank.untilItWaits(waiters.get(1));
            g.abort("no more");
            return;
          }
          Transfer t = Transfer.receive(me.rank == 0 ? 1 : 2, 7, me.empty(1));
          Work w = (me.rank == 0 ? g : me.world).exchange(List.of(t));
          waiters.get(me.rank).set(Thread.currentThread());
          assertNames(2, assertThrows(CommException.class, w::await));
        });
  }

  @ParameterizedTest
  @EnumSource(Operation.class)
  default void whoWaitsForARankThatLeavesIsTold(Operation operation) {
    AtomicReference<Thread> waiter = new AtomicReference<>();
    onRanks(
        3,
        me -> {
          if (me.rank == 2) {
            TestRank.untilItWaits(waiter);
            me.world.close();
            me.world.close();
            assertThrows(CommException.class, me.world::barrier);
            return;
          }
          if (me.rank == 0) {
            waiter.set(Thread.currentThread());
          }
          CommException e = assertThrows(CommException.class, () -> operation.run(me, me.world));
          assertNames(2, e);
          assertTrue(e.getMessage().contains("has left"), e.getMessage());
        });
  }

  @Test
  default void theOthersGoOnWithoutARankThatHasLeft() {
    CountDownLatch left = new CountDownLatch(1);
    onRanks(
        3,
        me -> {
          Communicator pair = me.world.group(me.rank < 2 ? List.of(0, 1) : List.of(2));
          if (me.rank == 2) {
            me.world.close();
            left.countDown();
            return;
          }
          awaitAll(left);
          Tensor t = me.of(me.rank + 1);
          pair.allReduceSum(t).await();
          me.assertHolds(t, 3);
          Transfer x = me.rank == 0 ? Transfer.send(1, 0, t) : Transfer.receive(0, 0, me.empty(1));
          me.post(x).await();
        });
  }

  @Test
  default void anInterruptEndsTheWaiting() {
    CountDownLatch failed = new CountDownLatch(1);
    onRanks(
        2,
        me -> {
          if (me.rank == 0) {
            Work w = me.post(Transfer.receive(1, 0, me.empty(1)));
            Thread.currentThread().interrupt();
            CommException e = assertThrows(CommException.class, w::await);
            assertTrue(Thread.interrupted(), "the flag is lost");
            assertEquals(-1, e.rank());
            assertTrue(e.getMessage().startsWith("interrupted"), e.getMessage());
            Thread.currentThread().interrupt();
            assertThrows(CommException.class, me.world::barrier);
            assertTrue(Thread.interrupted(), "the flag is lost");
            failed.countDown();
          }
          awaitAll(failed);
        });
  }
}
