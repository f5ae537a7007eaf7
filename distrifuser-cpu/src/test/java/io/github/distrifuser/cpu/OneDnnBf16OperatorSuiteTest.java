package io.github.distrifuser.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.OperatorSuite;
import io.github.distrifuser.tensor.DType;
import org.junit.jupiter.api.BeforeAll;

/** Every operator with activations in bfloat16, where this CPU computes in it. */
class OneDnnBf16OperatorSuiteTest extends OperatorSuite {
  @BeforeAll
  static void needsInstructions() {
    assumeTrue(ComputeTypes.of(DType.BF16) == DType.BF16, "no bfloat16 instructions");
  }

  @Override
  public Backend open() {
    return new OneDnnBackendProvider().create(new BackendOptions(DType.BF16, 2, 0));
  }
}
