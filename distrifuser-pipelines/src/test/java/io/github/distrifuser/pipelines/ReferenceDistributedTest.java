package io.github.distrifuser.pipelines;

import java.util.Set;

/** A case of each kind of parallelism on the reference backend. */
class ReferenceDistributedTest extends DistributedCasesSuite {
  private static final Set<String> CASES =
      Set.of(
          "distributed/patch_corrected_async_gn_w2_nosplit",
          "distributed/naive_alternate_w4_split",
          "distributed/sd1_tensor_w2_nosplit");

  @Override
  protected String device() {
    return "reference";
  }

  @Override
  protected boolean affordable(String name) {
    return CASES.contains(name);
  }
}
