package io.github.distrifuser.cpu;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.models.ModelSuite;
import io.github.distrifuser.tensor.DType;

/** The models on oneDNN. */
class OneDnnModelTest extends ModelSuite {
  @Override
  protected Backend newBackend() {
    return new OneDnnBackendProvider().create(new BackendOptions(DType.F32, 2, 0));
  }
}
