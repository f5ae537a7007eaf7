package io.github.distrifuser.comm;

import static io.github.distrifuser.comm.TestRank.numbers;

import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Random schedules, the same on all ranks but for when each one waits. */
public interface StressCases extends CommunicatorCases {
  int OPERATIONS = 150;

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  default void randomSchedules(long seed) {
    onRanks(2 + (int) (seed % 4), me -> new Schedule(me, seed).run());
  }

  /** One rank's way through a schedule. */
  final class Schedule {
    /** Members are numbers in the world. */
    private record Group(Communicator communicator, List<Integer> members) {}

    private record Pending(Work work, Runnable check) {}

    private final TestRank me;
    private final Random common; // gives the same numbers on all ranks
    private final Random own;
    private final List<List<Group>> partitions = new ArrayList<>();
    private final List<Pending> pending = new ArrayList<>();

    Schedule(TestRank me, long seed) {
      this.me = me;
      this.common = new Random(seed);
      this.own = new Random(seed * 100 + me.rank);
    }

    void run() {
      List<Integer> all = IntStream.range(0, me.size).boxed().toList();
      partitions.add(List.of(new Group(me.world, all)));
      for (int i = 0; i < 3; i++) {
        partitions.add(partition(all));
      }
      for (int i = 0; i < OPERATIONS; i++) {
        operation(i);
        while (!pending.isEmpty() && own.nextInt(4) == 0) {
          settle(own.nextInt(pending.size()));
        }
      }
      while (!pending.isEmpty()) {
        settle(pending.size() - 1);
      }
      me.world.barrier();
    }

    /** Deals the ranks to two groups, of which this rank makes its own. */
    private List<Group> partition(List<Integer> all) {
      List<Integer> a = new ArrayList<>();
      List<Integer> b = new ArrayList<>();
      all.forEach(r -> (common.nextBoolean() ? a : b).add(r));
      List<Integer> mine = a.contains(me.rank) ? a : b;
      return List.of(new Group(me.world.group(mine), mine));
    }

    private void settle(int index) {
      Pending p = pending.remove(index);
      p.work.await();
      p.check.run();
    }

    private void operation(int number) {
      int partition = common.nextInt(partitions.size());
      Group g = partitions.get(partition).get(0);
      int n = common.nextInt(10) == 0 ? 50_000 + common.nextInt(50_000) : common.nextInt(300);
      long seed = common.nextLong();
      switch (common.nextInt(8)) {
        case 0 -> gather(g, number, n);
        case 1 -> sum(g, number, n);
        case 2 -> g.communicator.barrier();
        default -> exchange(g, number, n, new Random(seed));
      }
    }

    private void gather(Group g, int number, int n) {
      List<Tensor> slots = new ArrayList<>();
      for (int r : g.members) {
        slots.add(me.empty(n + 5 * r));
      }
      Tensor mine = slots.get(g.communicator.rank());
      me.backend.write(numbers(n + 5 * me.rank, number, me.rank), 0, mine);
      pending.add(
          new Pending(
              g.communicator.allGather(slots),
              () -> {
                for (int i = 0; i < slots.size(); i++) {
                  int r = g.members.get(i);
                  me.assertHolds(slots.get(i), numbers(n + 5 * r, number, r));
                }
              }));
    }

    private void sum(Group g, int number, int n) {
      Tensor t = me.of(numbers(n, number, me.rank));
      float[] expected = numbers(n, number, g.members.get(0));
      for (int r : g.members.subList(1, g.members.size())) {
        float[] more = numbers(n, number, r);
        for (int i = 0; i < n; i++) {
          expected[i] += more[i];
        }
      }
      pending.add(new Pending(g.communicator.allReduceSum(t), () -> me.assertHolds(t, expected)));
    }

    /** Any of the group's pairs send each other something, listed in any order. */
    private void exchange(Group g, int number, int n, Random choices) {
      List<Transfer> transfers = new ArrayList<>();
      List<Runnable> checks = new ArrayList<>();
      int size = g.members.size();
      for (int from = 0; from < size; from++) {
        for (int to = 0; to < size; to++) {
          boolean chosen = choices.nextInt(3) > 0;
          int length = n + choices.nextInt(7);
          if (from == to || !chosen) {
            continue;
          }
          int sender = g.members.get(from);
          int receiver = g.members.get(to);
          float[] values = numbers(length, number, sender, receiver);
          if (sender == me.rank) {
            transfers.add(Transfer.send(to, number, me.of(values)));
          } else if (receiver == me.rank) {
            Tensor in = me.empty(length);
            transfers.add(Transfer.receive(from, number, in));
            checks.add(() -> me.assertHolds(in, values));
          }
        }
      }
      Collections.shuffle(transfers, own);
      pending.add(
          new Pending(g.communicator.exchange(transfers), () -> checks.forEach(Runnable::run)));
    }
  }
}
