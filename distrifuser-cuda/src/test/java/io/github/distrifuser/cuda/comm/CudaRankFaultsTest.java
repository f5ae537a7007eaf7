package io.github.distrifuser.cuda.comm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A rank of four is killed, hangs, or its communication fails in the middle of a generation: the
 * others end and name it.
 */
@Tag("cuda-ranks-standin")
class CudaRankFaultsTest {
  private static final int CULPRIT = 2;

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"kill", "hang", "fail"})
  void theOthersEndAndNameIt(String fault) throws Exception {
    try (RankProcesses ranks = new RankProcesses(folder)) {
      ranks.start(4, FaultyRank.class, fault, "" + CULPRIT);
      while (!ranks.lines(CULPRIT).contains(FaultyRank.READY)) {
        assertTrue(ranks.rank(CULPRIT).isAlive(), ranks.lines(CULPRIT).toString());
        Thread.sleep(50);
      }
      if (fault.equals("kill")) {
        ranks.rank(CULPRIT).destroyForcibly();
      }
      for (int r = 0; r < 4; r++) {
        if (r == CULPRIT && !fault.equals("fail")) {
          continue;
        }
        assertTrue(ranks.ends(r, 120), "rank " + r + " goes on: " + ranks.lines(r));
        List<String> ends =
            ranks.lines(r).stream().filter(l -> l.startsWith(FaultyRank.ENDED)).toList();
        assertEquals(1, ends.size(), "rank " + r + ": " + ranks.lines(r));
        String end = ends.get(0).substring(FaultyRank.ENDED.length());
        assertTrue(end.startsWith("rank " + CULPRIT + " "), "rank " + r + ": " + end);
        assertTrue(end.contains(word(fault)), "rank " + r + ": " + end);
      }
    }
  }

  @Test
  void processesMayNotShareAGpu() throws Exception {
    try (RankProcesses ranks = new RankProcesses(folder)) {
      ranks.start(2, FaultyRank.class, "share", "0");
      for (int r = 0; r < 2; r++) {
        assertTrue(ranks.ends(r, 120), "rank " + r + " goes on: " + ranks.lines(r));
        String expected =
            FaultyRank.ENDED
                + "rank 0 and rank 1 are processes on one GPU, cuda:0 (stand-in for a GPU): start no"
                + " more processes than there are GPUs, or ranks that are threads of one process";
        assertTrue(ranks.lines(r).contains(expected), ranks.lines(r).toString());
      }
    }
  }

  private static String word(String fault) {
    return switch (fault) {
      case "kill" -> "died";
      case "hang" -> "late";
      default -> "NCCL";
    };
  }
}
