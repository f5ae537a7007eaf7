package io.github.distrifuser.selftest;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.models.ModelSuite;
import io.github.distrifuser.tensor.DType;
import org.junit.jupiter.api.extension.ExtendWith;

/** Text encoders, UNets and VAEs against diffusers and transformers. */
final class Models {
  private Models() {}

  @ExtendWith(Pending.class)
  static final class F32 extends ModelSuite {
    @Override
    protected Backend newBackend() {
      return Gpu.open(DType.F32);
    }
  }

  @ExtendWith(Pending.class)
  static final class F16 extends ModelSuite {
    @Override
    protected Backend newBackend() {
      return Gpu.open(DType.F16);
    }
  }

  @ExtendWith(Pending.class)
  static final class Bf16 extends ModelSuite {
    @Override
    protected Backend newBackend() {
      return Gpu.open(DType.BF16);
    }
  }
}
