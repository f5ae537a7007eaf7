package io.github.distrifuser.cuda;

import io.github.distrifuser.cuda.standin.Standin;
import io.github.distrifuser.cuda.standin.StandinExtension;
import io.github.distrifuser.pipelines.PipelineCasesSuite;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

/** The pipelines in float32 on the stand-in libraries. */
@Tag("cuda-standin")
@ExtendWith(StandinExtension.class)
class CudaF32PipelineTest extends PipelineCasesSuite {
  /** The kernels of attention have tests of their own, and the models' run them. */
  @BeforeEach
  void quickAttention() {
    Standin.quickAttention();
  }

  @Override
  protected String device() {
    return "cuda";
  }
}
