package io.github.distrifuser.cuda;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.cuda.standin.StandinExtension;
import io.github.distrifuser.models.ModelSuite;
import io.github.distrifuser.tensor.DType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

/** The models in float32 on the stand-in libraries. */
@Tag("cuda-standin")
@ExtendWith(StandinExtension.class)
class CudaF32ModelTest extends ModelSuite {
  @Override
  protected Backend newBackend() {
    return new CudaBackendProvider().create(new BackendOptions(DType.F32, 0, 0));
  }
}
