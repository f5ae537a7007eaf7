package io.github.distrifuser.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.distrifuser.pipelines.HalfCasesSuite;
import io.github.distrifuser.pipelines.PipelineCase;
import io.github.distrifuser.tensor.DType;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;

/** Whole generations in bfloat16, where this CPU computes in it. */
class OneDnnBf16PipelineTest extends HalfCasesSuite {
  /** Those of cases/pipeline that draw no noise of their own. */
  static List<String> cases() throws IOException {
    List<String> names =
        PipelineCase.names("pipeline").stream().filter(c -> !c.contains("seeded")).toList();
    assertEquals(12, names.size(), names::toString);
    return names;
  }

  @BeforeAll
  static void needsInstructions() {
    assumeTrue(ComputeTypes.of(DType.BF16) == DType.BF16, "no bfloat16 instructions");
  }

  @Override
  protected String device() {
    return "onednn";
  }

  @Override
  protected DType dtype() {
    return DType.BF16;
  }
}
