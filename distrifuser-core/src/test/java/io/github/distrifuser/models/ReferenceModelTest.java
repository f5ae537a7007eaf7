package io.github.distrifuser.models;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.reference.ReferenceBackendProvider;

/** The models on the reference backend. */
class ReferenceModelTest extends ModelSuite {
  @Override
  protected Backend newBackend() {
    return new ReferenceBackendProvider().create(BackendOptions.defaults());
  }
}
