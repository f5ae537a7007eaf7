package io.github.distrifuser.parallel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RankTopologyTest {

  @ParameterizedTest
  @CsvSource({
    "1, true, true, 1", "2, true, true, 2", "2, false, true, 1", "2, true, false, 1",
    "3, true, true, 1", "4, true, true, 2", "5, true, true, 1", "8, true, true, 2",
  })
  void halvesAreDividedUnderGuidanceOnAnEvenNumberOfRanks(
      int world, boolean guidance, boolean splitBatch, int groups) {
    for (int rank = 0; rank < world; rank++) {
      RankTopology t = RankTopology.of(world, rank, guidance, splitBatch);
      assertEquals(groups, t.batchGroups());
      assertEquals(world / groups, t.patchRanks());
      assertEquals(rank, t.batchGroup() * t.patchRanks() + t.patchIndex());
      assertEquals(t.patchRanks(), t.patchGroup().size());
      assertEquals(rank, t.patchGroup().get(t.patchIndex()));
    }
  }

  @Test
  void theFirstHalfOfTheRanksComputesTheUnconditionalHalf() {
    RankTopology a = RankTopology.of(6, 2, true, true);
    assertEquals(0, a.batchGroup());
    assertEquals(2, a.patchIndex());
    assertEquals(List.of(0, 1, 2), a.patchGroup());
    RankTopology b = RankTopology.of(6, 3, true, true);
    assertEquals(1, b.batchGroup());
    assertEquals(0, b.patchIndex());
    assertEquals(List.of(3, 4, 5), b.patchGroup());
  }

  @Test
  void impossibleOnesAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> new RankTopology(4, 4, 1));
    assertThrows(IllegalArgumentException.class, () -> new RankTopology(4, -1, 1));
    assertThrows(IllegalArgumentException.class, () -> new RankTopology(3, 0, 2));
    assertThrows(IllegalArgumentException.class, () -> new RankTopology(4, 0, 4));
    assertThrows(IllegalArgumentException.class, () -> new RankTopology(4, 0, 0));
  }
}
