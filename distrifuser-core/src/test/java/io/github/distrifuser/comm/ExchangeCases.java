package io.github.distrifuser.comm;

import static io.github.distrifuser.comm.TestRank.numbers;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Messages between two ranks. */
public interface ExchangeCases extends CommunicatorCases {

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5})
  default void neighboursInBothDirections(int ranks) {
    onRanks(
        ranks,
        me -> {
          Tensor out = me.empty(6);
          Tensor above = me.empty(6);
          Tensor below = me.empty(6);
          List<Transfer> transfers = new ArrayList<>();
          if (me.rank > 0) {
            transfers.add(Transfer.send(me.rank - 1, 0, out));
            transfers.add(Transfer.receive(me.rank - 1, 1, above));
          }
          if (me.rank < ranks - 1) {
            transfers.add(Transfer.receive(me.rank + 1, 0, below));
            transfers.add(Transfer.send(me.rank + 1, 1, out));
          }
          for (int step = 0; step < 4; step++) {
            me.backend.write(numbers(6, me.rank, step), 0, out);
            me.world.exchange(transfers).await();
            if (me.rank > 0) {
              me.assertHolds(above, numbers(6, me.rank - 1, step));
            }
            if (me.rank < ranks - 1) {
              me.assertHolds(below, numbers(6, me.rank + 1, step));
            }
          }
          me.assertHolds(out, numbers(6, me.rank, 3));
        });
  }

  @Test
  default void gapsBetweenEntriesAreSkipped() {
    onRanks(
        2,
        me -> {
          if (me.rank == 0) {
            Tensor whole = me.empty(3, 5, 2);
            me.backend.write(numbers(30, 1), 0, whole);
            Tensor rows = whole.slice(1, 1, 3);
            Work a = me.post(Transfer.send(1, 0, rows));
            Work b = me.post(Transfer.send(1, 1, rows));
            Work c = me.post(Transfer.send(1, 2, me.of(numbers(12, 2))));
            a.await();
            b.await();
            c.await();
            return;
          }
          Tensor other = me.empty(3, 6, 2); // gaps of another size
          Tensor dense = me.empty(12);
          Tensor split = me.empty(2, 9); // entries of another size
          me.world
              .exchange(
                  List.of(
                      Transfer.receive(0, 0, other.slice(1, 3, 5)),
                      Transfer.receive(0, 1, dense),
                      Transfer.receive(0, 2, split.slice(1, 1, 7))))
              .await();
          float[] sent = numbers(30, 1);
          float[] expected = me.backend.toFloats(me.empty(36));
          float[] expectedDense = new float[12];
          for (int i = 0; i < 3; i++) {
            System.arraycopy(sent, 10 * i + 2, expected, 12 * i + 6, 4);
            System.arraycopy(sent, 10 * i + 2, expectedDense, 4 * i, 4);
          }
          me.assertHolds(other, expected);
          me.assertHolds(dense, expectedDense);
          float[] expectedSplit = me.backend.toFloats(me.empty(18));
          System.arraycopy(numbers(12, 2), 0, expectedSplit, 1, 6);
          System.arraycopy(numbers(12, 2), 6, expectedSplit, 10, 6);
          me.assertHolds(split, expectedSplit);
        });
  }

  @Test
  default void tagsPairMessagesWhateverTheirOrder() {
    onRanks(
        2,
        me -> {
          int[] tags = me.rank == 0 ? new int[] {3, 1, 2, 0} : new int[] {0, 1, 2, 3};
          int peer = 1 - me.rank;
          List<Work> works = new ArrayList<>();
          Tensor[] in = new Tensor[4];
          for (int tag : tags) {
            in[tag] = me.empty(5);
            works.add(me.post(Transfer.receive(peer, tag, in[tag])));
          }
          for (int i = 3; i >= 0; i--) {
            Tensor out = me.of(numbers(5, me.rank, tags[i]));
            works.add(me.post(Transfer.send(peer, tags[i], out)));
          }
          for (int i = works.size() - 1; i >= 0; i--) {
            works.get(i).await();
          }
          for (int tag = 0; tag < 4; tag++) {
            me.assertHolds(in[tag], numbers(5, peer, tag));
          }
        });
  }

  @Test
  default void largeMessagesDoNotBlockTheirPosting() {
    int n = 8 << 18; // 8 MiB
    onRanks(
        2,
        me -> {
          int peer = 1 - me.rank;
          Tensor out = me.of(numbers(n, me.rank));
          Tensor in = me.empty(n);
          Work send = me.post(Transfer.send(peer, 0, out));
          Work receive = me.post(Transfer.receive(peer, 0, in));
          send.await();
          receive.await();
          me.assertHolds(in, numbers(n, peer));
        });
  }

  @Test
  default void messagesOfNoBytesArrive() {
    onRanks(
        2,
        me -> {
          int peer = 1 - me.rank;
          me.world
              .exchange(
                  List.of(
                      Transfer.send(peer, 0, me.backend.allocate(0, 4)),
                      Transfer.receive(peer, 0, me.backend.allocate(3, 0))))
              .await();
          me.world.exchange(List.of()).await();
          me.world.barrier();
        });
  }

  @Test
  default void isDoneTurnsTrueOfItsOwnAccord() {
    onRanks(
        2,
        me -> {
          Tensor t = me.of(numbers(9, 0));
          Work w = me.post(me.rank == 0 ? Transfer.send(1, 0, t) : Transfer.receive(0, 0, t));
          long end = System.nanoTime() + 60_000_000_000L;
          while (!w.isDone()) {
            assertTrue(System.nanoTime() < end, "never done");
            Thread.sleep(1);
          }
          w.await();
          w.await();
        });
  }

  @Test
  default void theReceiverSaysThatSizesDisagree() {
    onRanks(
        3,
        me -> {
          if (me.rank == 1) {
            Work w = me.post(Transfer.receive(2, 7, me.empty(4)));
            CommException e = assertThrows(CommException.class, w::await);
            for (String part : List.of("rank 1", "rank 2", "16", "24", "tag 7")) {
              assertTrue(e.getMessage().contains(part), e.getMessage());
            }
          } else if (me.rank == 2) {
            Work w = me.post(Transfer.send(1, 7, me.empty(6)));
            try {
              w.await();
            } catch (CommException e) {
              assertTrue(e.getMessage().contains("rank 1"), e.getMessage());
            }
          }
        });
  }

  @Test
  default void sentBytesAreCounted() {
    onRanks(
        3,
        me -> {
          CommStats before = me.world.stats();
          List<Transfer> transfers = new ArrayList<>();
          if (me.rank == 0) {
            transfers.add(Transfer.send(1, 0, me.empty(5)));
            transfers.add(Transfer.send(2, 0, me.empty(7)));
          } else {
            transfers.add(Transfer.receive(0, 0, me.empty(me.rank == 1 ? 5 : 7)));
          }
          me.world.exchange(transfers).await();
          List<Tensor> slots = List.of(me.empty(1), me.empty(2), me.empty(3));
          me.world.allGather(slots).await();
          CommStats after = me.world.stats();
          long gathered = 2 * 4 * (me.rank + 1);
          assertEquals(gathered + (me.rank == 0 ? 48 : 0), after.bytesSent() - before.bytesSent());
          assertEquals(2 + (me.rank == 0 ? 2 : 0), after.messagesSent() - before.messagesSent());
        });
  }

  @Test
  default void groupsAreCountedAndWaitsAreMeasured() {
    AtomicReference<Thread> waiter = new AtomicReference<>();
    onRanks(
        2,
        me -> {
          Communicator g = me.world.group(List.of(0, 1));
          CommStats before = me.world.stats();
          if (me.rank == 0) {
            TestRank.untilItWaits(waiter);
            g.exchange(List.of(Transfer.send(1, 0, me.empty(3)))).await();
            assertEquals(12, me.world.stats().bytesSent() - before.bytesSent());
          } else {
            Work w = g.exchange(List.of(Transfer.receive(0, 0, me.empty(3))));
            waiter.set(Thread.currentThread());
            w.await();
            assertTrue(me.world.stats().waitNanos() > before.waitNanos());
            assertEquals(before.bytesSent(), me.world.stats().bytesSent());
          }
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 2})
  default void whoIsNoPeerIsRefused(int peer) {
    onRanks(
        2,
        me -> {
          if (me.rank == 0) {
            Transfer t = Transfer.send(peer, 0, me.empty(1));
            assertThrows(IllegalArgumentException.class, () -> me.post(t).await());
          }
        });
  }

  @Test
  default void gapsWithinAnEntryAreRefused() {
    onRanks(
        2,
        me -> {
          Tensor columns = me.empty(2, 3, 4).slice(2, 0, 2);
          Transfer t = Transfer.send(1 - me.rank, 0, columns);
          assertThrows(IllegalArgumentException.class, () -> me.post(t).await());
        });
  }
}
