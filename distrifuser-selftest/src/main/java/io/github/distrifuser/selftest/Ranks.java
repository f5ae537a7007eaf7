package io.github.distrifuser.selftest;

import io.github.distrifuser.pipelines.DistributedCasesSuite;
import java.util.Set;

/** The original's cases of several ranks, as threads that share the device. */
final class Ranks extends DistributedCasesSuite {
  private static final String SECTION = "ranks_float32";

  /** One of each way to divide a picture. */
  private static final Set<String> QUICK =
      Set.of(
          "distributed/patch_corrected_async_gn_w2_nosplit",
          "distributed/naive_row_w2_nosplit",
          "distributed/tensor_w2_nosplit");

  @Override
  protected String device() {
    return "cuda";
  }

  @Override
  protected boolean affordable(String name) {
    return (!Child.quick() || QUICK.contains(name)) && Pending.isPending(SECTION + ": " + name);
  }
}
