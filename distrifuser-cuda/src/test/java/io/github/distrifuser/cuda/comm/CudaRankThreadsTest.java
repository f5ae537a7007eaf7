package io.github.distrifuser.cuda.comm;

import io.github.distrifuser.cuda.standin.Standin;
import io.github.distrifuser.cuda.standin.StandinExtension;
import io.github.distrifuser.pipelines.DistributedCasesSuite;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * All cases of several ranks with ranks as threads, a device each by NCCL; eight ranks share four.
 * Each is run twice, in different orders of the devices' work.
 */
@Tag("cuda-ranks-standin")
@ExtendWith(StandinExtension.class)
class CudaRankThreadsTest extends DistributedCasesSuite {
  @BeforeEach
  void devices() {
    Standin.devices(4);
    Standin.quickAttention();
  }

  @Override
  protected String device() {
    return "cuda";
  }

  @Override
  protected boolean runTwice(String name) {
    return true;
  }

  @Override
  protected void beforeRun(int number) {
    Standin.seed(100 + number);
  }
}
