package io.github.distrifuser.cuda.comm;

import static io.github.distrifuser.comm.TestRank.numbers;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.comm.Work;
import io.github.distrifuser.cuda.standin.Standin;
import io.github.distrifuser.cuda.standin.StandinExtension;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Operations between devices: by NCCL where each rank has its own, by copies where they share. */
@Tag("cuda-ranks-standin")
@ExtendWith(StandinExtension.class)
class DeviceCommunicatorTest {
  private static final int SEEDS = 6;

  @BeforeEach
  void devices() {
    Standin.devices(4);
  }

  private static void repeatedly(int ranks, int devices, DType dtype, DeviceRanks.Program program) {
    for (int seed = 0; seed < SEEDS; seed++) {
      Standin.seed(seed);
      DeviceRanks.run(ranks, devices, dtype, program);
    }
  }

  private static Tensor of(Backend b, float[] values, long... dims) {
    Tensor t = b.allocate(dims);
    b.write(values, 0, t);
    return t;
  }

  /** What is posted in one step is read in the next, while the step's work goes on. */
  @ParameterizedTest
  @CsvSource({"2, 2", "4, 4", "2, 1", "4, 2"})
  void neighboursAStepBehind(int ranks, int devices) {
    repeatedly(
        ranks,
        devices,
        DType.F32,
        (b, world) -> {
          int rank = world.rank();
          try (Tensor out = b.allocate(2, 3);
              Tensor above = b.allocate(2, 3);
              Tensor below = b.allocate(2, 3);
              Tensor doubled = b.allocate(2, 3);
              Tensor busy = b.allocate(64, 64)) {
            List<Transfer> transfers = new ArrayList<>();
            if (rank < ranks - 1) { // not in the order of their tags
              transfers.add(Transfer.send(rank + 1, 1, out));
              transfers.add(Transfer.receive(rank + 1, 0, below));
            }
            if (rank > 0) {
              transfers.add(Transfer.send(rank - 1, 0, out));
              transfers.add(Transfer.receive(rank - 1, 1, above));
            }
            Work posted = null;
            for (int step = 0; step < 5; step++) {
              if (posted != null) {
                posted.await();
                float[] expected = numbers(6, rank - 1, step - 1);
                if (rank > 0) {
                  b.scale(above, 2, doubled);
                  float[] found = b.toFloats(doubled);
                  for (int i = 0; i < 6; i++) {
                    assertEquals(2 * expected[i], found[i]);
                  }
                }
                if (rank < ranks - 1) {
                  assertArrayEquals(numbers(6, rank + 1, step - 1), b.toFloats(below));
                }
              }
              b.write(numbers(6, rank, step), 0, out);
              posted = world.exchange(transfers);
              b.fill(busy, step);
            }
            posted.await();
          }
        });
  }

  @ParameterizedTest
  @CsvSource({"2, 2", "4, 4", "3, 1"})
  void slotsOfOneBufferAreGatheredInPlace(int ranks, int devices) {
    repeatedly(
        ranks,
        devices,
        DType.F16,
        (b, world) -> {
          // keys and values: two entries of the batch, the ranks' tokens side by side
          try (Tensor all = b.allocate(2, 3L * ranks, 4)) {
            List<Tensor> slots = new ArrayList<>();
            for (int r = 0; r < ranks; r++) {
              slots.add(all.slice(1, 3L * r, 3L * r + 3));
            }
            for (int step = 0; step < 3; step++) {
              b.write(whole(world.rank(), step), 0, slots.get(world.rank()));
              world.allGather(slots).await();
              for (int r = 0; r < ranks; r++) {
                assertArrayEquals(whole(r, step), b.toFloats(slots.get(r)));
              }
            }
          }
        });
  }

  /** Numbers that float16 holds. */
  private static float[] whole(int rank, int step) {
    float[] f = new float[24];
    for (int i = 0; i < f.length; i++) {
      f[i] = 100 * rank + 30 * step + i;
    }
    return f;
  }

  @ParameterizedTest
  @CsvSource({"2, 2", "3, 3", "3, 2"})
  void slotsApartAndOfUnlikeSizesAreGathered(int ranks, int devices) {
    repeatedly(
        ranks,
        devices,
        DType.F32,
        (b, world) -> {
          for (boolean alike : new boolean[] {true, false}) {
            List<Tensor> slots = new ArrayList<>();
            for (int r = 0; r < ranks; r++) {
              slots.add(b.allocate(2, alike ? 5 : 5 + r));
            }
            Tensor own = slots.get(world.rank());
            int n = (int) own.shape().elements();
            b.write(numbers(n, world.rank()), 0, own);
            world.allGather(slots).await();
            for (int r = 0; r < ranks; r++) {
              n = (int) slots.get(r).shape().elements();
              assertArrayEquals(numbers(n, r), b.toFloats(slots.get(r)));
              slots.get(r).close();
            }
          }
        });
  }

  /** Small sums, and such as are taken in shares. */
  @ParameterizedTest
  @CsvSource({
    "2, 2, 7, F32",
    "3, 3, 140001, F32",
    "4, 4, 180000, BF16",
    "3, 2, 1000, F16",
    "2, 1, 5, F32"
  })
  void sumsAreTakenInRankOrderAndRoundedOnce(int ranks, int devices, int n, DType dtype) {
    DeviceRanks.run(
        ranks,
        devices,
        dtype,
        (b, world) -> {
          try (Tensor t = b.allocate(n);
              Tensor rounded = b.allocate(n);
              Tensor expected = b.allocate(n)) {
            float[] sum = new float[n];
            for (int r = 0; r < ranks; r++) {
              b.write(numbers(n, r), 0, rounded);
              float[] part = b.toFloats(rounded);
              for (int i = 0; i < n; i++) {
                sum[i] = r == 0 ? part[i] : sum[i] + part[i];
              }
            }
            b.write(sum, 0, expected);
            for (int step = 0; step < 2; step++) {
              b.write(numbers(n, world.rank()), 0, t);
              world.allReduceSum(t).await();
              assertArrayEquals(b.toFloats(expected), b.toFloats(t));
            }
          }
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 2})
  void groupsHaveTheirOwnMessages(int devices) {
    repeatedly(
        4,
        devices,
        DType.F32,
        (b, world) -> {
          int half = world.rank() / 2;
          try (Communicator pair = world.group(List.of(2 * half, 2 * half + 1));
              Tensor t = of(b, new float[] {1 + world.rank()}, 1);
              Tensor all = of(b, new float[] {1 + world.rank()}, 1)) {
            Work one = pair.allReduceSum(t);
            Work other = world.allReduceSum(all);
            other.await();
            one.await();
            assertEquals(half == 0 ? 3 : 7, b.toFloats(t)[0]);
            assertEquals(10, b.toFloats(all)[0]);
            assertEquals(2, pair.size());
            assertEquals(world.rank(), pair.worldRank());
          }
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 1})
  void whatIsSentIsCounted(int devices) {
    DeviceRanks.run(
        2,
        devices,
        DType.F32,
        (b, world) -> {
          int peer = 1 - world.rank();
          try (Tensor out = of(b, numbers(6, 1), 2, 3);
              Tensor in = b.allocate(2, 3)) {
            long before = world.stats().bytesSent();
            world
                .exchange(List.of(Transfer.send(peer, 0, out), Transfer.receive(peer, 0, in)))
                .await();
            assertArrayEquals(numbers(6, 1), b.toFloats(in));
            assertEquals(24, world.stats().bytesSent() - before);
            world.barrier();
            assertEquals(2, world.allGatherBytes(new byte[world.rank()]).size());
          }
        });
  }
}
