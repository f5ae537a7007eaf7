package io.github.distrifuser.pipelines;

import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.tensor.DType;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every single-device reference case of a whole generation, on whatever backend is there. */
public abstract class PipelineCasesSuite {

  /** Names of all cases. */
  static Stream<String> cases() throws IOException {
    List<String> names = new ArrayList<>(PipelineCase.names("pipeline"));
    names.addAll(PipelineCase.names("calls"));
    if (names.size() < 35) {
      throw new IllegalStateException("only " + names);
    }
    return names.stream();
  }

  /** The backend to run on. */
  protected abstract String device();

  @ParameterizedTest
  @MethodSource("cases")
  void equalsDiffusers(String name) {
    PipelineCase c = PipelineCase.load(name);
    LoadOptions options = c.options().device(device()).dtype(DType.F32).build();
    try (DistriPipeline p = c.pipeline(DistriConfig.defaults(), options)) {
      c.check(p);
    }
  }
}
