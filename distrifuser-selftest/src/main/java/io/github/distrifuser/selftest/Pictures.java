package io.github.distrifuser.selftest;

import io.github.distrifuser.models.HalfErrors;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.pipelines.DistriPipeline;
import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.PipelineCase;
import io.github.distrifuser.tensor.DType;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole generations on one device against diffusers. */
@ExtendWith(Pending.class)
final class Pictures {
  /** One of each model, and all that a model can be asked for besides. */
  private static final List<String> QUICK =
      List.of(
          "pipeline/sdxl_default_euler",
          "pipeline/sd1_default_pndm",
          "pipeline/sd2_default_v",
          "calls/lcm_tiling_slicing");

  /** Names of the cases that are run. */
  static Stream<String> cases() throws IOException {
    List<String> names = new ArrayList<>(PipelineCase.names("pipeline"));
    names.addAll(PipelineCase.names("calls"));
    if (!names.containsAll(QUICK)) {
      throw new IllegalStateException("cases are missing: there are " + names);
    }
    return (Child.quick() ? QUICK : names).stream();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void equalsDiffusers(String name) {
    PipelineCase c = PipelineCase.load(name);
    DType dtype = Child.dtype();
    LoadOptions options = c.options().device("cuda").dtype(dtype).build();
    try (DistriPipeline p = c.pipeline(DistriConfig.defaults(), options)) {
      if (dtype == DType.F32) {
        c.check(p);
      } else {
        c.check(p, HalfErrors.of(dtype));
      }
    }
  }
}
