package io.github.distrifuser.comm;

import static io.github.distrifuser.comm.TestRank.numbers;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Operations of all ranks together. */
public interface CollectiveCases extends CommunicatorCases {

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5})
  default void unevenSlotsAreGathered(int ranks) {
    onRanks(
        ranks,
        me -> {
          List<Tensor> slots = new ArrayList<>();
          for (int i = 0; i < ranks; i++) {
            slots.add(me.empty(slotSize(i)));
          }
          for (int step = 0; step < 3; step++) {
            me.backend.write(numbers(slotSize(me.rank), me.rank, step), 0, slots.get(me.rank));
            me.world.allGather(slots).await();
            for (int i = 0; i < ranks; i++) {
              me.assertHolds(slots.get(i), numbers(slotSize(i), i, step));
            }
          }
        });
  }

  /** Rank 1 has nothing to say. */
  private static int slotSize(int rank) {
    return rank == 1 ? 0 : 100 * rank + 3;
  }

  @Test
  default void slotsWithGapsAreGathered() {
    onRanks(
        3,
        me -> {
          Tensor whole = me.empty(2, 6, 4); // each rank's slot is two of the six rows
          List<Tensor> slots = new ArrayList<>();
          for (int i = 0; i < 3; i++) {
            slots.add(whole.slice(1, 2 * i, 2 * i + 2));
          }
          me.backend.write(numbers(16, me.rank), 0, slots.get(me.rank));
          me.world.allGather(slots).await();
          for (int i = 0; i < 3; i++) {
            me.assertHolds(slots.get(i), numbers(16, i));
          }
        });
  }

  /** Of such different sizes that sums in different orders differ. */
  private static float[] terms(int n, int rank, int step) {
    Random r = new Random(1000L * rank + step);
    float[] f = new float[n];
    for (int i = 0; i < n; i++) {
      f[i] = (float) (r.nextGaussian() * Math.pow(10, r.nextInt(9)));
    }
    return f;
  }

  @ParameterizedTest
  @CsvSource({"1,10", "2,1", "3,1000", "4,100003", "5,33333", "3,0"})
  default void sumsAreTakenInRankOrder(int ranks, int n) {
    onRanks(
        ranks,
        me -> {
          for (int step = 0; step < 3; step++) {
            float[] expected = terms(n, 0, step);
            for (int r = 1; r < ranks; r++) {
              float[] more = terms(n, r, step);
              for (int i = 0; i < n; i++) {
                expected[i] += more[i];
              }
            }
            Tensor t = me.empty(n);
            me.backend.write(terms(n, me.rank, step), 0, t);
            me.world.allReduceSum(t).await();
            me.assertHolds(t, expected);
          }
        });
  }

  @Test
  default void theOrderOfASumMatters() {
    float[][] terms = {{1e8f}, {-1e8f}, {1}};
    onRanks(
        3,
        me -> {
          Tensor t = me.of(terms[me.rank]);
          me.world.allReduceSum(t).await();
          me.assertHolds(t, 1); // and 1 + 1e8 - 1e8 is 0
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5})
  default void bytesAreBroadcastFromAnyRank(int ranks) {
    run(
        ranks,
        world -> {
          for (int root = 0; root < ranks; root++) {
            for (int length : new int[] {0, 1, 1000, 1 << 20}) {
              byte[] expected = new byte[length];
              new Random(31L * root + length).nextBytes(expected);
              byte[] bytes = world.rank() == root ? expected.clone() : new byte[length];
              world.broadcast(bytes, root);
              assertArrayEquals(expected, bytes);
            }
          }
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5})
  default void bytesOfAnyLengthAreGathered(int ranks) {
    run(
        ranks,
        world -> {
          for (int round = 0; round < 5; round++) {
            byte[] mine = new byte[(world.rank() * 7001 + round * 13) % 9973];
            Arrays.fill(mine, (byte) (world.rank() + round));
            List<byte[]> all = world.allGatherBytes(mine);
            assertEquals(ranks, all.size());
            for (int i = 0; i < ranks; i++) {
              byte[] expected = new byte[(i * 7001 + round * 13) % 9973];
              Arrays.fill(expected, (byte) (i + round));
              assertArrayEquals(expected, all.get(i));
            }
          }
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5})
  default void nobodyPassesABarrierBeforeAllHaveCome(int ranks) {
    AtomicInteger arrivals = new AtomicInteger();
    run(
        ranks,
        world -> {
          for (int round = 1; round <= 20; round++) {
            if (world.rank() == round % ranks) {
              Thread.sleep(1);
            }
            arrivals.incrementAndGet();
            world.barrier();
            int seen = arrivals.get();
            assertTrue(seen >= round * ranks, seen + " arrivals in round " + round);
            world.barrier();
          }
        });
  }

  @Test
  default void operationsOfSeveralKindsAreUnderWayTogether() {
    onRanks(
        3,
        me -> {
          int next = (me.rank + 1) % 3;
          int before = (me.rank + 2) % 3;
          List<Tensor> first = List.of(me.empty(2), me.empty(2), me.empty(2));
          List<Tensor> second = List.of(me.empty(2), me.empty(2), me.empty(2));
          me.backend.fill(first.get(me.rank), me.rank);
          me.backend.fill(second.get(me.rank), 10 + me.rank);
          Tensor sum = me.of(me.rank);
          Tensor out = me.of(100 + me.rank);
          Tensor in = me.empty(1);
          Work a = me.world.allGather(first);
          Work s = me.world.allReduceSum(sum);
          Work x =
              me.world.exchange(
                  List.of(Transfer.receive(before, 0, in), Transfer.send(next, 0, out)));
          Work b = me.world.allGather(second);
          me.world.barrier();
          b.await();
          x.await();
          s.await();
          a.await();
          for (int i = 0; i < 3; i++) {
            me.assertHolds(first.get(i), i, i);
            me.assertHolds(second.get(i), 10 + i, 10 + i);
          }
          me.assertHolds(sum, 3);
          me.assertHolds(in, 100 + before);
        });
  }
}
