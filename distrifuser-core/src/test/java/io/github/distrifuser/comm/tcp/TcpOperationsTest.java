package io.github.distrifuser.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.comm.CommStats;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.RankEnvironment;
import io.github.distrifuser.comm.SoloCommunicator;
import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.comm.Work;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.HalfFloats;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TcpOperationsTest {
  private static final int LARGE = 3 * Frames.CHUNK / 4 + 12345; // floats: several frames

  @AfterEach
  void noLoopIsLeft() {
    assertEquals(List.of(), TcpWorlds.loops());
  }

  @Test
  void oneRankIsAlone() {
    Communicator c = TcpCommunicators.connect(RankEnvironment.alone(), Map.of(), TcpWorlds.START);
    assertTrue(c instanceof SoloCommunicator);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 1000, LARGE})
  void messagesArriveWholeWhicheverIsPostedFirst(int n) {
    TcpWorlds.run(
        2,
        c -> {
          for (int round = 0; round < 6; round++) {
            if (round % 2 == c.rank()) {
              c.barrier();
            }
            Tensor mine = TestTensors.counting(c.rank() * 100 + round, n);
            Tensor theirs = TestTensors.zeros(n);
            int other = 1 - c.rank();
            Work w =
                c.exchange(
                    List.of(Transfer.send(other, 7, mine), Transfer.receive(other, 7, theirs)));
            if (round % 2 != c.rank()) {
              c.barrier();
            }
            w.await();
            assertTrue(w.isDone());
            assertArrayEquals(
                TestTensors.floats(TestTensors.counting(other * 100 + round, n)),
                TestTensors.floats(theirs));
          }
          return 0;
        });
  }

  @Test
  void gapsBetweenBatchesAreSkipped() {
    TcpWorlds.run(
        2,
        c -> {
          for (int n : new int[] {5, LARGE}) {
            Tensor outer = TestTensors.counting(0, 3, n, 2);
            Tensor target = TestTensors.zeros(3, n, 2);
            Transfer t =
                c.rank() == 0
                    ? Transfer.send(1, 0, outer.slice(1, 2, n - 1))
                    : Transfer.receive(0, 0, target.slice(1, 1, n - 2));
            c.exchange(List.of(t)).await();
            if (c.rank() == 1) {
              Tensor expected = TestTensors.zeros(3, n, 2);
              float[] rows = TestTensors.floats(outer.slice(1, 2, n - 1));
              assertArrayEquals(rows, TestTensors.floats(target.slice(1, 1, n - 2)));
              assertArrayEquals(
                  TestTensors.floats(expected.slice(1, 0, 1)),
                  TestTensors.floats(target.slice(1, 0, 1)));
              assertArrayEquals(
                  TestTensors.floats(expected.slice(1, n - 2, n)),
                  TestTensors.floats(target.slice(1, n - 2, n)));
            }
          }
          return 0;
        });
  }

  @Test
  void manyMessagesInBothDirections() {
    TcpWorlds.run(
        3,
        c -> {
          Random random = new Random(5);
          List<Tensor> received = new ArrayList<>();
          List<float[]> expected = new ArrayList<>();
          List<Work> works = new ArrayList<>();
          for (int i = 0; i < 60; i++) {
            int n = random.nextInt(3) == 0 ? random.nextInt(LARGE) : random.nextInt(2000);
            List<Transfer> transfers = new ArrayList<>();
            for (int r = 0; r < 3; r++) {
              if (r != c.rank()) {
                Tensor to = TestTensors.zeros(n);
                received.add(to);
                expected.add(TestTensors.floats(TestTensors.counting(1000 * i + r, n)));
                transfers.add(Transfer.send(r, i, TestTensors.counting(1000 * i + c.rank(), n)));
                transfers.add(Transfer.receive(r, i, to));
              }
            }
            works.add(c.exchange(transfers));
          }
          works.forEach(Work::await);
          for (int i = 0; i < received.size(); i++) {
            assertArrayEquals(expected.get(i), TestTensors.floats(received.get(i)), "message " + i);
          }
          return 0;
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4})
  void sumsAreTakenInRankOrder(int ranks) {
    int[] sizes = {0, 1, 3, 777, 20_000, LARGE};
    List<List<float[]>> sums =
        TcpWorlds.run(
            ranks == 1 ? 2 : ranks,
            world -> {
              Communicator c = ranks == 1 ? world.group(List.of(world.rank())) : world;
              List<float[]> mine = new ArrayList<>();
              for (int n : sizes) {
                Tensor t = TestTensors.zeros(n);
                ByteBuffer b = t.storage().buffer(0, n * 4);
                float[] values = values(c.rank(), n);
                b.asFloatBuffer().put(values);
                c.allReduceSum(t).await();
                mine.add(TestTensors.floats(t));
              }
              return mine;
            });
    for (int i = 0; i < sizes.length; i++) {
      float[] expected = values(0, sizes[i]);
      for (int r = 1; r < ranks; r++) {
        float[] more = values(r, sizes[i]);
        for (int k = 0; k < more.length; k++) {
          expected[k] += more[k];
        }
      }
      for (List<float[]> rank : sums) {
        assertArrayEquals(expected, rank.get(i), ranks + " ranks, " + sizes[i] + " numbers");
      }
    }
  }

  private static float[] values(int rank, int n) {
    Random random = new Random(100 + rank);
    float[] v = new float[n];
    for (int i = 0; i < n; i++) {
      v[i] = (float) (random.nextGaussian() * Math.pow(10, random.nextInt(6)));
    }
    return v;
  }

  @Test
  void halfPrecisionSumsAreRoundedOnce() {
    for (DType dtype : List.of(DType.F16, DType.BF16)) {
      List<Short> bits =
          TcpWorlds.run(
              3,
              c -> {
                Tensor t = TestTensors.zeros(dtype, 1);
                float own = c.rank() == 0 ? 1 : 0.00390625f / 2;
                short s =
                    dtype == DType.F16 ? HalfFloats.floatToF16(own) : HalfFloats.floatToBf16(own);
                t.storage().buffer(0, 2).putShort(s);
                c.allReduceSum(t).await();
                return t.storage().buffer(0, 2).getShort();
              });
      float sum = 1 + 0.00390625f;
      short expected =
          dtype == DType.F16 ? HalfFloats.floatToF16(sum) : HalfFloats.floatToBf16(sum);
      bits.forEach(b -> assertEquals(expected, b));
    }
  }

  @Test
  void bytesSentAreThoseOfTheFormula() {
    int floats = 1 << 20;
    List<CommStats> stats =
        TcpWorlds.run(
            4,
            c -> {
              c.group(List.of(0, 1, 2, 3)).allReduceSum(TestTensors.zeros(floats)).await();
              return c.stats();
            });
    for (CommStats s : stats) {
      assertEquals(2L * 3 * floats, s.bytesSent()); // 2 (N - 1) / N of 4 bytes each
      assertEquals(12, s.messagesSent()); // in two rounds
    }
  }

  @Test
  void slotsMayDifferInSize() {
    TcpWorlds.run(
        3,
        c -> {
          List<Tensor> slots = new ArrayList<>();
          for (int r = 0; r < 3; r++) {
            int n = 10 + r * LARGE / 2;
            slots.add(r == c.rank() ? TestTensors.counting(r, n) : TestTensors.zeros(n));
          }
          c.allGather(slots).await();
          for (int r = 0; r < 3; r++) {
            int n = 10 + r * LARGE / 2;
            assertArrayEquals(
                TestTensors.floats(TestTensors.counting(r, n)), TestTensors.floats(slots.get(r)));
          }
          return 0;
        });
  }

  @Test
  void bytesOfAnyLength() {
    TcpWorlds.run(
        3,
        c -> {
          byte[] mine = new byte[c.rank() * 300_000];
          new Random(c.rank()).nextBytes(mine);
          List<byte[]> all = c.allGatherBytes(mine);
          for (int r = 0; r < 3; r++) {
            byte[] expected = new byte[r * 300_000];
            new Random(r).nextBytes(expected);
            assertArrayEquals(expected, all.get(r));
          }
          byte[] news = c.rank() == 1 ? new byte[] {1, 2, 3} : new byte[3];
          c.broadcast(news, 1);
          assertArrayEquals(new byte[] {1, 2, 3}, news);
          return 0;
        });
  }

  @Test
  void groupsDoNotDisturbEachOther() {
    TcpWorlds.run(
        4,
        c -> {
          Communicator half = c.group(c.rank() < 2 ? List.of(0, 1) : List.of(2, 3));
          Communicator same = c.group(c.rank() < 2 ? List.of(0, 1) : List.of(2, 3));
          Communicator across = c.group(c.rank() % 2 == 0 ? List.of(0, 2) : List.of(1, 3));
          assertEquals(c.rank() % 2, half.rank());
          assertEquals(2, half.size());
          assertEquals(c.rank(), across.worldRank());
          Tensor a = TestTensors.counting(c.rank(), 1);
          Tensor b = TestTensors.counting(10 * c.rank(), 1);
          Tensor d = TestTensors.counting(100 * c.rank(), 1);
          Work wa = half.allReduceSum(a);
          Work wb = same.allReduceSum(b);
          Work wd = across.allReduceSum(d);
          wd.await();
          wb.await();
          wa.await();
          int pair = c.rank() < 2 ? 1 : 5;
          assertEquals(pair, TestTensors.floats(a)[0]);
          assertEquals(10 * pair, TestTensors.floats(b)[0]);
          assertEquals(100 * (2 * (c.rank() % 2) + 2), TestTensors.floats(d)[0]);
          half.barrier();
          half.close();
          half.close();
          c.barrier();
          return 0;
        });
  }

  @Test
  void badArgumentsAreNamedAtOnce() {
    TcpWorlds.run(
        2,
        c -> {
          Tensor t = TestTensors.zeros(2, 3, 4);
          Tensor columns = t.slice(2, 0, 2);
          assertBad(() -> c.exchange(List.of(Transfer.send(2, 0, t))), "no peer 2");
          assertBad(() -> c.exchange(List.of(Transfer.send(c.rank(), 0, t))), "no peer");
          assertBad(() -> c.exchange(List.of(Transfer.send(1 - c.rank(), 0, columns))), "dense");
          assertBad(() -> c.allGather(List.of(t)), "2 ranks need as many slots, found 1");
          assertBad(() -> c.allReduceSum(TestTensors.zeros(DType.I32, 3)), "I32");
          assertBad(() -> c.broadcast(new byte[1], 2), "no rank 2");
          assertBad(() -> c.group(List.of(1, 0)), "ascending");
          assertBad(() -> c.group(List.of(1 - c.rank())), "not in the group");
          Tensor device = Tensor.owning(new TestTensors.Device(), DType.F32, Shape.of(1));
          String message =
              assertThrows(UnsupportedOperationException.class, () -> c.allReduceSum(device))
                  .getMessage();
          assertTrue(message.contains("not in the host's memory"), message);
          c.barrier();
          return 0;
        });
  }

  private static void assertBad(Runnable call, String part) {
    String message = assertThrows(IllegalArgumentException.class, call::run).getMessage();
    assertTrue(message.contains(part), message);
  }

  @Test
  void waitingIsCounted() {
    CompletableFuture<Thread> waiter = new CompletableFuture<>();
    List<CommStats> stats =
        TcpWorlds.run(
            2,
            c -> {
              Tensor t = TestTensors.counting(0, 100);
              if (c.rank() == 1) {
                Work w = c.exchange(List.of(Transfer.receive(0, 3, t)));
                waiter.complete(Thread.currentThread());
                w.await();
              } else {
                while (waiter.join().getState() != Thread.State.TIMED_WAITING) {
                  Thread.onSpinWait();
                }
                c.exchange(List.of(Transfer.send(1, 3, t))).await();
              }
              return c.stats();
            });
    assertEquals(400, stats.get(0).bytesSent());
    assertEquals(1, stats.get(0).messagesSent());
    assertEquals(0, stats.get(1).bytesSent());
    assertTrue(stats.get(1).waitNanos() > 0);
  }
}
