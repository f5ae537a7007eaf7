package io.github.distrifuser.cuda.comm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.pipelines.CasesAsProcess;
import io.github.distrifuser.pipelines.PipelineCase;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** All cases of 2 and of 4 ranks, with ranks as processes that have a device each. */
@Tag("cuda-ranks-standin")
class CudaRankProcessesTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({"2, 16", "4, 10"})
  void equalTheOriginal(int size, int fewest) throws Exception {
    List<String> expected =
        PipelineCase.names("distributed").stream()
            .filter(n -> PipelineCase.load(n).spec().get("world_size").asInt() == size)
            .map(n -> CasesAsProcess.PASSED + n)
            .toList();
    assertTrue(expected.size() >= fewest, expected.toString());
    try (RankProcesses ranks = new RankProcesses(folder)) {
      ranks.start(size, CudaCasesAsProcess.class);
      for (int r = 0; r < size; r++) {
        assertTrue(ranks.ends(r, 900), "rank " + r + " has ended");
        List<String> lines = ranks.lines(r);
        assertEquals(
            expected,
            lines.stream().filter(l -> l.startsWith(CasesAsProcess.PASSED)).toList(),
            () -> "rank " + lines);
        assertEquals(0, ranks.rank(r).exitValue(), lines.toString());
      }
    }
  }
}
