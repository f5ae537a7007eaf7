package io.github.distrifuser.selftest;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.OperatorSuite;
import org.junit.jupiter.api.extension.ExtendWith;

/** Every operator against the reference backend and against torch. */
@ExtendWith(Pending.class)
final class Operators extends OperatorSuite {
  @Override
  public Backend open() {
    return Gpu.open(Child.dtype());
  }
}
