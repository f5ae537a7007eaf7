package io.github.distrifuser.comm.local;

import static io.github.distrifuser.comm.TestRank.numbers;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.comm.CommException;
import io.github.distrifuser.comm.CommStats;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.comm.CommunicatorSuite;
import io.github.distrifuser.comm.RankProgram;
import io.github.distrifuser.comm.RankThreads;
import io.github.distrifuser.comm.Transfer;
import io.github.distrifuser.comm.Work;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Storage;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.HalfFloats;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LocalCommunicatorsTest extends CommunicatorSuite {

  @Override
  public void run(int ranks, RankProgram program) {
    try (LocalCommunicators world = LocalCommunicators.create(ranks)) {
      assertEquals(ranks, world.ranks().size());
      RankThreads.run(world.ranks(), program);
    }
  }

  @Test
  void messagesOfOneTagArriveInOrder() {
    onRanks(
        2,
        me -> {
          List<Work> works = new ArrayList<>();
          List<Tensor> in = new ArrayList<>();
          for (int i = 0; i < 20; i++) {
            in.add(me.empty(1));
            Transfer t =
                me.rank == 0 ? Transfer.send(1, 3, me.of(i)) : Transfer.receive(0, 3, in.get(i));
            works.add(me.post(t));
          }
          works.forEach(Work::await);
          for (int i = 0; i < 20; i++) {
            me.assertHolds(in.get(i), me.rank == 0 ? -1 : i);
          }
        });
  }

  @Test
  void bothSidesSayThatSizesDisagree() {
    onRanks(
        2,
        me -> {
          Tensor t = me.empty(me.rank == 0 ? 6 : 4);
          Work w = me.post(me.rank == 0 ? Transfer.send(1, 7, t) : Transfer.receive(0, 7, t));
          CommException e = assertThrows(CommException.class, w::await);
          assertEquals(
              "rank 0 has 24 bytes where rank 1 expects 16 (exchange, tag 7)", e.getMessage());
          Work sum = me.world.allReduceSum(t);
          e = assertThrows(CommException.class, sum::await);
          assertTrue(e.getMessage().contains("24"), e.getMessage());
          assertTrue(e.getMessage().contains("16"), e.getMessage());
        });
  }

  @Test
  void operationsThatDisagreeAreNamed() {
    onRanks(
        2,
        me -> {
          CommException e =
              assertThrows(
                  CommException.class,
                  () -> {
                    if (me.rank == 0) {
                      me.world.barrier();
                    } else {
                      me.world.allReduceSum(me.empty(1)).await();
                    }
                  });
          assertTrue(e.getMessage().contains("called barrier"), e.getMessage());
          assertTrue(e.getMessage().contains("called allReduceSum"), e.getMessage());
        });
  }

  @Test
  void sumsCountWhatOthersRead() {
    onRanks(
        3,
        me -> {
          CommStats before = me.world.stats();
          me.world.allReduceSum(me.empty(5)).await();
          assertEquals(40, me.world.stats().bytesSent() - before.bytesSent());
        });
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F16", "BF16"})
  void halfPrecisionIsSummedInFloatAndRoundedOnce(DType dtype) {
    int n = 40_000;
    float[] expected = new float[n];
    for (int r = 0; r < 3; r++) {
      for (int i = 0; i < n; i++) {
        expected[i] += rounded(dtype, numbers(1, r)[0] + i % 100);
      }
    }
    for (int i = 0; i < n; i++) {
      expected[i] = rounded(dtype, expected[i]);
    }
    onRanks(
        3,
        me -> {
          float[] mine = new float[n];
          float shift = numbers(1, me.rank)[0];
          for (int i = 0; i < n; i++) {
            mine[i] = shift + i % 100;
          }
          Tensor t = me.backend.allocate(dtype, Shape.of(n));
          me.backend.write(mine, 0, t);
          me.world.allReduceSum(t).await();
          me.assertHolds(t, expected);
        });
  }

  private static float rounded(DType dtype, float f) {
    return dtype == DType.F16
        ? HalfFloats.f16ToFloat(HalfFloats.floatToF16(f))
        : HalfFloats.bf16ToFloat(HalfFloats.floatToBf16(f));
  }

  @Test
  void sumsSkipGaps() {
    onRanks(
        2,
        me -> {
          Tensor whole = me.empty(3, 4 + me.rank, 2);
          Tensor rows = whole.slice(1, 1, 3);
          me.backend.write(numbers(12, me.rank), 0, rows);
          me.world.allReduceSum(rows).await();
          float[] expected = numbers(12, 0);
          for (int i = 0; i < 12; i++) {
            expected[i] += numbers(12, 1)[i];
          }
          me.assertHolds(rows, expected);
          assertEquals(-1, me.backend.toFloats(whole)[0]);
        });
  }

  @Test
  void deviceMemoryIsRefused() {
    Storage device =
        new Storage() {
          @Override
          public long byteSize() {
            return 8;
          }

          @Override
          public long address() {
            return 0;
          }

          @Override
          public ByteBuffer buffer(long offset, int length) {
            throw new UnsupportedOperationException("device memory");
          }

          @Override
          public boolean isClosed() {
            return false;
          }

          @Override
          public void close() {}
        };
    Tensor t = Tensor.owning(device, DType.F32, Shape.of(2));
    try (LocalCommunicators world = LocalCommunicators.create(2)) {
      Communicator c = world.ranks().get(0);
      UnsupportedOperationException e =
          assertThrows(UnsupportedOperationException.class, () -> c.allReduceSum(t));
      assertTrue(e.getMessage().contains("host memory"), e.getMessage());
    }
  }

  @Test
  void aTensorThatWasClosedTooEarlyFailsBothSides() {
    onRanks(
        2,
        me -> {
          Work w;
          if (me.rank == 0) {
            Tensor t = me.empty(3);
            w = me.post(Transfer.send(1, 0, t));
            t.close();
            me.world.barrier();
          } else {
            me.world.barrier();
            w = me.post(Transfer.receive(0, 0, me.empty(3)));
          }
          CommException e = assertThrows(CommException.class, w::await);
          assertTrue(e.getMessage().contains("rank 0's message to rank 1"), e.getMessage());
        });
  }

  @Test
  void aWorldHasARankAtLeast() {
    assertThrows(IllegalArgumentException.class, () -> LocalCommunicators.create(0));
  }
}
