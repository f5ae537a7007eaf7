package io.github.distrifuser.comm;

import static io.github.distrifuser.comm.TestRank.numbers;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.distrifuser.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Groups of some of a group's ranks. */
public interface GroupCases extends CommunicatorCases {

  /** Checks a group's numbers, and that it gathers and adds up among its members only. */
  private static void check(TestRank me, Communicator group, List<Integer> worldRanks) {
    assertEquals(worldRanks.size(), group.size());
    assertEquals(worldRanks.indexOf(me.rank), group.rank());
    assertEquals(me.rank, group.worldRank());
    List<Tensor> slots = new ArrayList<>();
    for (int r : worldRanks) {
      slots.add(me.empty(r + 1));
    }
    me.backend.write(numbers(me.rank + 1, me.rank), 0, slots.get(group.rank()));
    Tensor sum = me.of(1 << me.rank);
    Work gathered = group.allGather(slots);
    Work summed = group.allReduceSum(sum);
    summed.await();
    gathered.await();
    me.assertHolds(sum, worldRanks.stream().mapToInt(r -> 1 << r).sum());
    for (int i = 0; i < worldRanks.size(); i++) {
      int r = worldRanks.get(i);
      me.assertHolds(slots.get(i), numbers(r + 1, r));
    }
    List<byte[]> names = group.allGatherBytes(new byte[] {(byte) me.rank});
    for (int i = 0; i < worldRanks.size(); i++) {
      assertArrayEquals(new byte[] {worldRanks.get(i).byteValue()}, names.get(i));
    }
    byte[] word = {(byte) me.rank};
    group.broadcast(word, worldRanks.size() - 1);
    assertEquals(worldRanks.get(worldRanks.size() - 1).byteValue(), word[0]);
    group.barrier();
  }

  @Test
  default void twoHalvesTalkAtOnce() {
    onRanks(
        4,
        me -> {
          List<Integer> half = me.rank < 2 ? List.of(0, 1) : List.of(2, 3);
          Communicator g = me.world.group(half);
          for (int i = 0; i < 3; i++) {
            check(me, g, half);
          }
        });
  }

  @Test
  default void ranksOfAGroupNeedNotBeNeighbours() {
    onRanks(
        5,
        me -> {
          List<Integer> mine = me.rank % 2 == 0 ? List.of(0, 2, 4) : List.of(1, 3);
          check(me, me.world.group(mine), mine);
          check(me, me.world, List.of(0, 1, 2, 3, 4));
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  default void allRanksAndOneRankAreGroups(int ranks) {
    onRanks(
        ranks,
        me -> {
          List<Integer> all = IntStream.range(0, ranks).boxed().toList();
          check(me, me.world.group(all), all);
          check(me, me.world.group(List.of(me.rank)), List.of(me.rank));
        });
  }

  @Test
  default void groupsOfGroups() {
    onRanks(
        5,
        me -> {
          if (me.rank == 4) {
            check(me, me.world.group(List.of(4)), List.of(4));
            return;
          }
          Communicator four = me.world.group(List.of(0, 1, 2, 3));
          boolean odd = me.rank % 2 == 1;
          List<Integer> pair = odd ? List.of(1, 3) : List.of(0, 2);
          Communicator two = four.group(pair);
          Communicator one = two.group(List.of(two.rank()));
          check(me, one, List.of(me.rank));
          check(me, two, pair);
          Communicator again = two.group(List.of(0, 1));
          check(me, again, pair);
          check(me, four, List.of(0, 1, 2, 3));
        });
  }

  @Test
  default void equalGroupsKeepTheirMessagesApart() {
    onRanks(
        2,
        me -> {
          List<Communicator> groups = new ArrayList<>();
          groups.add(me.world);
          for (int i = 0; i < 3; i++) {
            groups.add(me.world.group(List.of(0, 1)));
          }
          List<Work> works = new ArrayList<>();
          Tensor[] in = new Tensor[4];
          for (int k = 0; k < 4; k++) {
            int i = me.rank == 0 ? k : 3 - k;
            in[i] = me.empty(1);
            Transfer t =
                me.rank == 0 ? Transfer.send(1, 5, me.of(i)) : Transfer.receive(0, 5, in[i]);
            works.add(groups.get(i).exchange(List.of(t)));
          }
          works.forEach(Work::await);
          for (int i = 0; i < 4; i++) {
            me.assertHolds(in[i], me.rank == 0 ? -1 : i);
          }
        });
  }

  @Test
  default void groupAndWorldMessagesInterleave() {
    onRanks(
        4,
        me -> {
          Communicator half = me.world.group(me.rank < 2 ? List.of(0, 1) : List.of(2, 3));
          int partner = me.rank ^ 1;
          for (int step = 0; step < 5; step++) {
            Tensor wide = me.of(numbers(3, me.rank, step));
            Tensor fromWorld = me.empty(3);
            Tensor near = me.of(numbers(3, me.rank, step, 1));
            Tensor fromHalf = me.empty(3);
            Tensor all = me.of(me.rank);
            Work sum = me.world.allReduceSum(all);
            Work b =
                half.exchange(
                    List.of(
                        Transfer.send(1 - half.rank(), 0, near),
                        Transfer.receive(1 - half.rank(), 0, fromHalf)));
            Work a =
                me.world.exchange(
                    List.of(
                        Transfer.send(partner, 0, wide), Transfer.receive(partner, 0, fromWorld)));
            half.barrier();
            a.await();
            b.await();
            sum.await();
            me.assertHolds(fromWorld, numbers(3, partner, step));
            me.assertHolds(fromHalf, numbers(3, partner, step, 1));
            me.assertHolds(all, 6);
          }
        });
  }

  @Test
  default void closingAGroupLeavesItsParentOpen() {
    onRanks(
        4,
        me -> {
          List<Integer> half = me.rank < 2 ? List.of(0, 1) : List.of(2, 3);
          Communicator g = me.world.group(half);
          check(me, g, half);
          g.close();
          g.close();
          assertThrows(CommException.class, g::barrier);
          check(me, me.world, List.of(0, 1, 2, 3));
          check(me, me.world.group(half), half);
        });
  }

  @Test
  default void whatIsNoGroupIsRefused() {
    run(
        3,
        world -> {
          int other = world.rank() == 0 ? 1 : 0;
          for (List<Integer> ranks :
              List.of(List.of(other), List.of(2, 1, 0), List.of(0, 1, 2, 3), List.<Integer>of())) {
            assertThrows(IllegalArgumentException.class, () -> world.group(ranks));
          }
        });
  }
}
