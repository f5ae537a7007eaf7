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

  /** Float64 is 1.15e-4 from torch's fp32 on tiny-sdxl's UNet; the reference is near float64. */
  @Override
  protected double tolerance() {
    return 1.5e-4;
  }
}
