package io.github.distrifuser.selftest;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.OperatorSuite;
import io.github.distrifuser.tensor.DType;
import org.junit.jupiter.api.extension.ExtendWith;

/** Every operator against the reference backend and against torch. */
final class Operators {
  private Operators() {}

  @ExtendWith(Pending.class)
  static final class F32 extends OperatorSuite {
    @Override
    public Backend open() {
      return Gpu.open(DType.F32);
    }
  }

  @ExtendWith(Pending.class)
  static final class F16 extends OperatorSuite {
    @Override
    public Backend open() {
      return Gpu.open(DType.F16);
    }
  }

  @ExtendWith(Pending.class)
  static final class Bf16 extends OperatorSuite {
    @Override
    public Backend open() {
      return Gpu.open(DType.BF16);
    }
  }
}
