package io.github.distrifuser.parallel.patch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.comm.Communicator;
import io.github.distrifuser.parallel.ExchangeKind;
import io.github.distrifuser.parallel.Fixtures;
import io.github.distrifuser.parallel.Ranks;
import io.github.distrifuser.parallel.WatchedCommunicator;
import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ActivationExchangeTest {

  /** Two ranks that send each other a number a slot. */
  private static final class Rank {
    final List<String> posts = new ArrayList<>();
    final List<Tensor> out = new ArrayList<>();
    final List<Tensor> in = new ArrayList<>();
    final List<ActivationExchange.Slot> slots = new ArrayList<>();
    final Backend backend;
    final ActivationExchange exchange;

    Rank(Communicator world, Backend b, Set<ExchangeKind> posting, ExchangeKind... kinds) {
      backend = b;
      exchange = new ActivationExchange(WatchedCommunicator.of(world, posts::add), 3, posting);
      for (ExchangeKind kind : kinds) {
        Tensor o = b.allocate(1);
        Tensor i = b.allocate(1);
        b.fill(o, 10 * world.rank() + out.size());
        b.fill(i, -1);
        out.add(o);
        in.add(i);
        Messages m = new Messages().send(1 - world.rank(), 0, o).receive(1 - world.rank(), 0, i);
        slots.add(exchange.slot("layer" + slots.size(), kind, m));
      }
    }

    float received(int slot) {
      return backend.toFloats(in.get(slot))[0];
    }
  }

  private static final ExchangeKind HALO = ExchangeKind.HALO;
  private static final ExchangeKind KEY_VALUE = ExchangeKind.KEY_VALUE;

  private interface Program {
    void run(Rank rank, int other);
  }

  private static void onTwoRanks(Program program, ExchangeKind... kinds) {
    onTwoRanks(Set.of(), program, kinds);
  }

  private static void onTwoRanks(
      Set<ExchangeKind> posting, Program program, ExchangeKind... kinds) {
    Ranks.run(
        2,
        world -> {
          try (Backend b = Fixtures.backend()) {
            program.run(new Rank(world, b, posting, kinds), 10 * (1 - world.rank()));
            return 0;
          }
        });
  }

  @Test
  void smallMessagesTravelTogetherAndTheRestAtTheStepsEnd() {
    onTwoRanks(
        (r, other) -> {
          r.slots.forEach(ActivationExchange.Slot::post);
          assertEquals(1, r.posts.size());
          r.exchange.flush();
          r.exchange.flush();
          assertEquals(2, r.posts.size());
          for (int i = 0; i < 5; i++) {
            r.slots.get(i).await();
            assertEquals(other + i, r.received(i));
          }
        },
        HALO,
        HALO,
        HALO,
        HALO,
        HALO);
  }

  @Test
  void keysAndValuesLeaveAtOnceWithWhatWaits() {
    onTwoRanks(
        (r, other) -> {
          r.slots.forEach(ActivationExchange.Slot::post);
          assertEquals(1, r.posts.size());
          r.slots.get(1).await();
          assertEquals(other, r.received(0));
          assertEquals(other + 1, r.received(1));
        },
        HALO,
        KEY_VALUE);
  }

  @Test
  void waitingForAMessageThatWaitsForCompanySendsIt() {
    onTwoRanks(
        (r, other) -> {
          r.slots.get(0).await(); // nothing was posted
          r.slots.get(0).post();
          assertEquals(0, r.posts.size());
          r.slots.get(0).await();
          assertEquals(1, r.posts.size());
          assertEquals(other, r.received(0));
        },
        HALO);
  }

  @Test
  void freshMessagesDoNotOvertake() {
    onTwoRanks(
        (r, other) -> {
          r.slots.get(0).post();
          r.slots.get(1).exchangeNow();
          assertEquals(2, r.posts.size());
          assertEquals(other + 1, r.received(1));
          r.exchange.drain();
          assertEquals(other, r.received(0));
        },
        HALO,
        HALO);
  }

  @Test
  void drainingBringsEverythingIn() {
    onTwoRanks(
        (r, other) -> {
          r.slots.forEach(ActivationExchange.Slot::post);
          r.exchange.drain();
          for (int i = 0; i < 4; i++) {
            assertEquals(other + i, r.received(i));
          }
          float[] sent = r.backend.toFloats(r.out.get(3));
          assertArrayEquals(new float[] {10 - other + 3}, sent);
        },
        HALO,
        HALO,
        KEY_VALUE,
        HALO);
  }

  @Test
  void theFirstPostingIsLeftOutWhereAllFindRoomInOneBatch() {
    onTwoRanks(
        Set.of(HALO),
        (r, other) -> {
          for (int step = 0; step < 2; step++) {
            r.exchange.setFirstAsynchronous(step == 0);
            for (ActivationExchange.Slot s : r.slots) {
              s.await();
              s.post();
            }
            r.exchange.flush();
            r.slots.get(1).await();
            assertEquals(other + 1, r.received(1));
            r.slots.get(0).await();
            assertEquals(step == 0 ? -1 : other, r.received(0));
          }
        },
        HALO,
        HALO);
  }

  @Test
  void theFirstPostingLeavesWithTheOthersWhereTheyFillABatch() {
    onTwoRanks(
        Set.of(HALO),
        (r, other) -> {
          r.slots.forEach(ActivationExchange.Slot::post);
          assertEquals(1, r.posts.size());
          r.slots.get(0).await();
          assertEquals(other, r.received(0));
        },
        HALO,
        HALO,
        HALO);
  }
}
