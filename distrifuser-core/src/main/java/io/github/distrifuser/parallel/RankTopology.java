package io.github.distrifuser.parallel;

import java.util.ArrayList;
import java.util.List;

/**
 * Who computes what. Under guidance with a split batch and an even number of ranks, ranks {@code
 * [0, W/2)} compute the unconditional half and {@code [W/2, W)} the conditional one; patches split
 * within each half. Otherwise all ranks split the image.
 *
 * @param worldSize number of ranks
 * @param rank this one
 * @param batchGroups 2 where the halves of the batch are divided, else 1
 */
public record RankTopology(int worldSize, int rank, int batchGroups) {

  public RankTopology {
    if (rank < 0 || rank >= worldSize) {
      throw new IllegalArgumentException("rank " + rank + " of " + worldSize);
    }
    if (batchGroups != 1 && (batchGroups != 2 || worldSize % 2 != 0)) {
      throw new IllegalArgumentException(batchGroups + " batch groups of " + worldSize + " ranks");
    }
  }

  /** The topology of a call. */
  public static RankTopology of(int worldSize, int rank, boolean guidance, boolean splitBatch) {
    boolean split = guidance && splitBatch && worldSize >= 2 && worldSize % 2 == 0;
    return new RankTopology(worldSize, rank, split ? 2 : 1);
  }

  /** Ranks that split one image. */
  public int patchRanks() {
    return worldSize / batchGroups;
  }

  /** This rank's number among those that split its image. */
  public int patchIndex() {
    return rank % patchRanks();
  }

  /** Which part of the batch this rank computes. */
  public int batchGroup() {
    return rank / patchRanks();
  }

  /** World ranks of the group that a rank belongs to, ascending. */
  public List<Integer> patchGroup() {
    List<Integer> ranks = new ArrayList<>();
    for (int i = 0; i < patchRanks(); i++) {
      ranks.add(batchGroup() * patchRanks() + i);
    }
    return ranks;
  }
}
