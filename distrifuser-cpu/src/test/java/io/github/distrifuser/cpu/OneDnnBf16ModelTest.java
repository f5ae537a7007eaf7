package io.github.distrifuser.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.models.ModelSuite;
import io.github.distrifuser.tensor.DType;
import org.junit.jupiter.api.BeforeAll;

/** The models in bfloat16, where this CPU computes in it. */
class OneDnnBf16ModelTest extends ModelSuite {
  @BeforeAll
  static void needsInstructions() {
    assumeTrue(ComputeTypes.of(DType.BF16) == DType.BF16, "no bfloat16 instructions");
  }

  @Override
  protected Backend newBackend() {
    return new OneDnnBackendProvider().create(new BackendOptions(DType.BF16, 2, 0));
  }
}
