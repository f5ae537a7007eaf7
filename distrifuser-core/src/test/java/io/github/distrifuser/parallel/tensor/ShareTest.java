package io.github.distrifuser.parallel.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ShareTest {

  @Test
  void sharesFollowEachOtherAndDifferByOneUnit() {
    for (int ranks = 1; ranks <= 9; ranks++) {
      for (int units = 0; units <= 20; units++) {
        long at = 0;
        for (int i = 0; i < ranks; i++) {
          Share s = Share.of(units, 40, ranks, i);
          assertEquals(at, s.from());
          long own = s.size() / 40;
          assertEquals(s.size(), own * 40);
          assertEquals(i < units % ranks ? units / ranks + 1 : units / ranks, own);
          at = s.to();
        }
        assertEquals(units * 40L, at);
      }
    }
  }

  @Test
  void moreRanksThanHeadsLeaveTheLastWithout() {
    assertEquals(new Share(4, 5), Share.of(5, 1, 8, 4));
    assertTrue(Share.of(5, 1, 8, 5).isEmpty());
    assertEquals(new Share(5, 5), Share.of(5, 1, 8, 7));
  }

  @Test
  void channelsAreCutInRunsOfSixteenWhereThatLeavesNoneWithout() {
    assertEquals(new Share(112, 224), Share.ofChannels(320, 3, 1));
    assertEquals(new Share(11, 22), Share.ofChannels(32, 3, 1));
    assertEquals(new Share(7, 14), Share.ofChannels(20, 3, 1));
  }
}
