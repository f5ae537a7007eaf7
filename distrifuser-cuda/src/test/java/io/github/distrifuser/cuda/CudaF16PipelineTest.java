package io.github.distrifuser.cuda;

import io.github.distrifuser.cuda.standin.Standin;
import io.github.distrifuser.cuda.standin.StandinExtension;
import io.github.distrifuser.pipelines.HalfCasesSuite;
import io.github.distrifuser.tensor.DType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

/** The pipelines in float16 on the stand-in libraries. */
@Tag("cuda-standin")
@ExtendWith(StandinExtension.class)
class CudaF16PipelineTest extends HalfCasesSuite {
  /** The kernels of attention have tests of their own, and the models' run them. */
  @BeforeEach
  void quickAttention() {
    Standin.quickAttention();
  }

  @Override
  protected String device() {
    return "cuda";
  }

  @Override
  protected DType dtype() {
    return DType.F16;
  }
}
