package io.github.distrifuser.pipelines;

/** The pipelines on the reference backend. */
class ReferencePipelineTest extends PipelineCasesSuite {
  @Override
  protected String device() {
    return "reference";
  }
}
