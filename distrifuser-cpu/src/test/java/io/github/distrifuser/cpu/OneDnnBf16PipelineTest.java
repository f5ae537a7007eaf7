package io.github.distrifuser.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.distrifuser.pipelines.HalfCasesSuite;
import io.github.distrifuser.tensor.DType;
import org.junit.jupiter.api.BeforeAll;

/** Whole generations in bfloat16, where this CPU computes in it. */
class OneDnnBf16PipelineTest extends HalfCasesSuite {
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
