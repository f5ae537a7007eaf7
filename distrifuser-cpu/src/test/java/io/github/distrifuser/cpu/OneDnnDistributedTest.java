package io.github.distrifuser.cpu;

import io.github.distrifuser.pipelines.DistributedCasesSuite;

/** All cases of several ranks on oneDNN. */
class OneDnnDistributedTest extends DistributedCasesSuite {
  @Override
  protected String device() {
    return "onednn";
  }
}
