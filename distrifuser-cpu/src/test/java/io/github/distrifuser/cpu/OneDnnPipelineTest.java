package io.github.distrifuser.cpu;

import io.github.distrifuser.pipelines.PipelineCasesSuite;

/** The pipelines on oneDNN. */
class OneDnnPipelineTest extends PipelineCasesSuite {
  @Override
  protected String device() {
    return "onednn";
  }
}
