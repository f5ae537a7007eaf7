package io.github.distrifuser.selftest;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.models.ModelSuite;
import org.junit.jupiter.api.extension.ExtendWith;

/** Text encoders, UNets and VAEs against diffusers and transformers. */
@ExtendWith(Pending.class)
final class Models extends ModelSuite {
  @Override
  protected Backend newBackend() {
    return Gpu.open(Child.dtype());
  }
}
