package io.github.distrifuser.cpu;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.OperatorSuite;
import io.github.distrifuser.tensor.DType;

/** Every operator against the reference backend and torch. */
class OneDnnOperatorSuiteTest extends OperatorSuite {
  @Override
  public Backend open() {
    return new OneDnnBackendProvider().create(new BackendOptions(DType.F32, 2, 0));
  }
}
