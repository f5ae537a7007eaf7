package io.github.distrifuser.cuda.comm;

import static io.github.distrifuser.comm.TestRank.numbers;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.comm.Work;
import io.github.distrifuser.cuda.standin.Standin;
import io.github.distrifuser.cuda.standin.StandinExtension;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Tensor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Devices' communication that is late, fails, or cannot begin; everything is freed all the same.
 */
@Tag("cuda-ranks-standin")
@ExtendWith(StandinExtension.class)
class DeviceFaultsTest {
  @BeforeEach
  void devices() {
    Standin.devices(4);
  }

  /** A sum over all ranks, read by the host. */
  private static float sum(Backend b, Communicator world) {
    try (Tensor t = b.allocate(4)) {
      b.fill(t, 1);
      world.allReduceSum(t).await();
      return b.toFloats(t)[0];
    }
  }

  private static void awaitAll(CountDownLatch latch) throws InterruptedException {
    assertTrue(latch.await(60, TimeUnit.SECONDS), "the others did not end");
  }

  private static void names(int rank, CommException e, String... words) {
    assertEquals(rank, e.rank(), e.getMessage());
    assertTrue(e.getMessage().startsWith("rank " + rank + " "), e.getMessage());
    for (String w : words) {
      assertTrue(e.getMessage().contains(w), w + " in: " + e.getMessage());
    }
  }

  /** Devices 3: NCCL; 1: copies. */
  @ParameterizedTest
  @ValueSource(ints = {3, 1})
  void theLateRankIsNamedByAll(int devices) {
    CountDownLatch failed = new CountDownLatch(2);
    DeviceRanks.run(
        3,
        devices,
        DType.F32,
        (b, world) -> {
          assertEquals(3, sum(b, world));
          if (world.rank() == 1) {
            awaitAll(failed);
            return;
          }
          world.setTimeout(Duration.ofSeconds(2));
          world.progress("step 7");
          names(1, assertThrows(CommException.class, () -> sum(b, world)), "2 s");
          failed.countDown();
          assertThrows(CommException.class, () -> sum(b, world));
        });
  }

  @Test
  void whatAllWaitForIsNobodysFault() {
    DeviceRanks.run(
        3,
        3,
        DType.F32,
        (b, world) -> {
          world.setTimeout(Duration.ofSeconds(2));
          Standin.hangCommunication(2, 1);
          world.barrier();
          CommException e = assertThrows(CommException.class, () -> sum(b, world));
          assertTrue(e.getMessage().contains("waited for each other for 2 s"), e.getMessage());
        });
  }

  @Test
  void aFailureOfNcclNamesTheRankWhereItHappened() {
    DeviceRanks.run(
        3,
        3,
        DType.F32,
        (b, world) -> {
          if (world.rank() == 2) {
            Standin.failCommunication(2, 1);
          }
          world.barrier();
          names(
              2, assertThrows(CommException.class, () -> sum(b, world)), "NCCL", "remote process");
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {3, 1})
  void anAbortWakesTheOthers(int devices) {
    DeviceRanks.run(
        3,
        devices,
        DType.F32,
        (b, world) -> {
          world.barrier();
          if (world.rank() == 0) {
            world.abort("the device is out of memory");
          }
          names(0, assertThrows(CommException.class, () -> sum(b, world)), "out of memory");
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 1})
  void whatIsUnderWayWhenARankGivesUpIsLeftInPeace(int devices) {
    for (int seed = 0; seed < 10; seed++) {
      Standin.seed(seed);
      DeviceRanks.run(
          2,
          devices,
          DType.F32,
          (b, world) -> {
            int peer = 1 - world.rank();
            List<Work> works = new ArrayList<>();
            try (Tensor out = b.allocate(100);
                Tensor in = b.allocate(100)) {
              for (int i = 0; i < 4; i++) {
                List<Transfer> both =
                    List.of(Transfer.send(peer, i, out), Transfer.receive(peer, i, in));
                works.add(world.exchange(both));
              }
              world.barrier();
              if (world.rank() == 1) {
                world.abort("no more");
              }
              for (Work w : works) {
                try {
                  w.await();
                } catch (CommException e) {
                  names(1, e, "no more");
                }
              }
            }
          });
    }
  }

  @Test
  void ncclThatIsTooOldIsSaidByAll() {
    Standin.ncclVersion(22705);
    DeviceRanks.runUnconnected(
        2,
        2,
        DType.F32,
        (b, host) -> {
          IllegalStateException e =
              assertThrows(IllegalStateException.class, () -> b.communicator(host));
          assertEquals(
              "rank 0: NCCL (libnccl) is too old: found 2.27.5, needed 2.29.3 or newer",
              e.getMessage());
        });
  }

  @Test
  void stepsThatRepeatAllocateNothing() {
    DeviceRanks.run(
        2,
        2,
        DType.F32,
        (b, world) -> {
          String[] after = new String[2];
          for (int round = 0; round < 2; round++) {
            for (int step = 0; step < 3; step++) {
              assertEquals(2, sum(b, world));
              try (Tensor all = b.allocate(2, 2, 5)) {
                List<Tensor> slots = List.of(all.slice(0, 0, 1), all.slice(0, 1, 2));
                b.write(numbers(10, world.rank()), 0, slots.get(world.rank()));
                world.allGather(slots).await();
                assertArrayEquals(
                    numbers(10, 1 - world.rank()), b.toFloats(slots.get(1 - world.rank())));
              }
            }
            world.barrier();
            if (world.rank() == 0) {
              after[round] = Standin.leaks();
            }
            world.barrier();
          }
          assertEquals(after[0], after[1], "what is held after some steps and after more");
        });
  }
}
