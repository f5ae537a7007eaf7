package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.OperatorSuite;
import io.github.distrifuser.cuda.standin.StandinExtension;
import io.github.distrifuser.tensor.DType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

/** Every operator in float16 on the stand-in libraries. */
@Tag("cuda-standin")
@ExtendWith(StandinExtension.class)
class CudaF16OperatorSuiteTest extends OperatorSuite {
  @Override
  public Backend open() {
    return new CudaBackendProvider().create(new BackendOptions(DType.F16, 0, 0));
  }
}
