package io.github.distrifuser.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.comm.Work;
import io.github.distrifuser.comm.tcp.TcpWorlds.Outcome;
import io.github.distrifuser.tensor.Tensor;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TcpFailureTest {
  private static final int LARGE = 8 << 20; // floats: more than a connection holds

  @AfterEach
  void noLoopIsLeft() {
    assertEquals(List.of(), TcpWorlds.loops());
  }

  /** Runs a program on n ranks; each must fail as told, in this operation and all later ones. */
  private static void assertAllFail(
      int n, int culprit, String message, Consumer<Communicator> program) {
    List<Communicator> world = TcpWorlds.open(n);
    List<Outcome<String>> outcomes =
        TcpWorlds.outcomes(
            world,
            c -> {
              CommException e = assertThrows(CommException.class, () -> program.accept(c));
              assertEquals(culprit, e.rank(), e.getMessage());
              CommException again = assertThrows(CommException.class, c::barrier);
              assertEquals(e.getMessage(), again.getMessage());
              return e.getMessage();
            });
    TcpWorlds.closeAll(world);
    for (Outcome<String> o : outcomes) {
      if (o.failure() != null) {
        throw new AssertionError("rank", o.failure());
      }
      assertTrue(o.value().startsWith(message), o.value());
    }
  }

  @Test
  void anAbortReachesAll() {
    assertAllFail(
        3,
        1,
        "rank 1 failed: out of luck",
        c -> {
          if (c.rank() == 1) {
            c.group(List.of(1, 2)).abort("out of luck");
            c.abort("again");
          }
          c.barrier();
        });
  }

  @Test
  void anAbortEndsLargeTransfersInBothDirections() {
    assertAllFail(
        2,
        0,
        "rank 0 failed: no more",
        c -> {
          Tensor t = TestTensors.zeros(LARGE);
          Tensor u = TestTensors.zeros(LARGE);
          int other = 1 - c.rank();
          Work sent = c.exchange(List.of(Transfer.send(other, 1, t)));
          Work received = c.exchange(List.of(Transfer.receive(other, 2, u)));
          if (c.rank() == 0) {
            c.abort("no more");
          }
          assertFalse(received.isDone());
          received.await();
          sent.await();
        });
  }

  @Test
  void aLateRankIsNamed() {
    assertAllFail(
        3,
        2,
        "rank 2 is late: nothing came from it (allReduceSum, operation 0) within 500 ms;"
            + " last seen: step 7",
        c -> {
          if (c.rank() == 2) {
            c.progress("step 7");
            c.exchange(List.of(Transfer.receive(0, 9, TestTensors.zeros(1)))).await();
          }
          c.setTimeout(Duration.ofMillis(500));
          c.allReduceSum(TestTensors.zeros(10)).await();
        });
  }

  @Test
  void ranksThatCallDifferentThingsAreNamed() {
    List<Communicator> world = TcpWorlds.open(2);
    List<Outcome<Integer>> outcomes =
        TcpWorlds.outcomes(
            world,
            c -> {
              if (c.rank() == 0) {
                c.barrier();
              } else {
                c.allGatherBytes(new byte[3]);
              }
              return 0;
            });
    TcpWorlds.closeAll(world);
    for (Outcome<Integer> o : outcomes) {
      String message = assertInstanceOf(CommException.class, o.failure()).getMessage();
      assertTrue(message.startsWith("rank "), message);
      assertTrue(message.contains("barrier") && message.contains("allGatherBytes"), message);
    }
  }

  @Test
  void messagesOfTheWrongLengthAreNamed() {
    assertAllFail(
        2,
        0,
        "rank 0 has 12 bytes where rank 1 expects 16 (exchange, tag 5)",
        c -> {
          Transfer t =
              c.rank() == 0
                  ? Transfer.send(1, 5, TestTensors.zeros(3))
                  : Transfer.receive(0, 5, TestTensors.zeros(4));
          c.exchange(List.of(t)).await();
          c.barrier();
        });
  }

  @Test
  void aRankThatHasLeftIsNamed() {
    List<Communicator> world = TcpWorlds.open(3);
    List<Outcome<Integer>> outcomes =
        TcpWorlds.outcomes(
            world,
            c -> {
              c.barrier();
              if (c.rank() == 0) {
                c.close();
              }
              c.barrier();
              return 0;
            });
    TcpWorlds.closeAll(world);
    for (int r = 1; r < 3; r++) {
      CommException e = assertInstanceOf(CommException.class, outcomes.get(r).failure());
      assertEquals(0, e.rank(), e.getMessage());
      assertTrue(e.getMessage().startsWith("rank 0 has left"), e.getMessage());
    }
    String own = assertInstanceOf(CommException.class, outcomes.get(0).failure()).getMessage();
    assertEquals("rank 0 has closed its communicator", own);
  }

  @Test
  void aRankThatHasLeftAGroupIsNamed() {
    assertAllFail(
        3,
        1,
        "rank 1 has left",
        c -> {
          Communicator all = c.group(List.of(0, 1, 2));
          all.barrier();
          if (c.rank() == 1) {
            all.close();
            c.barrier();
          } else {
            all.barrier();
          }
        });
  }

  @Test
  void whatWasSentBeforeAGoodbyeArrives() {
    List<Communicator> world = TcpWorlds.open(2);
    List<Outcome<float[]>> outcomes =
        TcpWorlds.outcomes(
            world,
            c -> {
              Tensor t = c.rank() == 0 ? TestTensors.counting(0, LARGE) : TestTensors.zeros(LARGE);
              if (c.rank() == 0) {
                c.exchange(List.of(Transfer.send(1, 0, t)));
                c.close();
                return new float[0];
              }
              c.exchange(List.of(Transfer.receive(0, 0, t))).await();
              return TestTensors.floats(t);
            });
    TcpWorlds.closeAll(world);
    float[] came = outcomes.get(1).value();
    assertEquals(LARGE, came.length);
    assertEquals(LARGE - 1, came[LARGE - 1]);
  }

  @Test
  void aRankThatComputesForLongIsAlive() {
    List<Communicator> world = TcpWorlds.open(2, Duration.ofMillis(500));
    List<Outcome<Long>> outcomes =
        TcpWorlds.outcomes(
            world,
            c -> {
              long count = 0;
              long start = System.nanoTime();
              while (c.rank() == 1 && System.nanoTime() - start < 2_000_000_000L) {
                count++;
              }
              c.barrier();
              return count;
            });
    TcpWorlds.closeAll(world);
    outcomes.forEach(o -> assertNull(o.failure()));
  }

  @Test
  void theOthersHearOfAnInterrupt() {
    List<Communicator> world = TcpWorlds.open(2);
    List<Outcome<Integer>> outcomes =
        TcpWorlds.outcomes(
            world,
            c -> {
              if (c.rank() == 1) {
                Thread.currentThread().interrupt();
              }
              Tensor t = TestTensors.zeros(1);
              try {
                c.exchange(List.of(Transfer.receive(1 - c.rank(), 0, t))).await();
              } finally {
                assertEquals(c.rank() == 1, Thread.interrupted());
              }
              return 0;
            });
    TcpWorlds.closeAll(world);
    assertEquals(
        "rank 1 failed: it was interrupted while it waited",
        assertInstanceOf(CommException.class, outcomes.get(0).failure()).getMessage());
    assertEquals(
        "interrupted while waiting",
        assertInstanceOf(CommException.class, outcomes.get(1).failure()).getMessage());
  }
}
