package io.github.distrifuser.pipelines;

import io.github.distrifuser.models.HalfErrors;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.tensor.DType;
import java.io.IOException;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every single-device reference case in 16 bits: about as near to float32 as torch's own. */
public abstract class HalfCasesSuite {

  /** Names of all cases. */
  static Stream<String> cases() throws IOException {
    return PipelineCasesSuite.cases();
  }

  /** The backend to run on. */
  protected abstract String device();

  /** F16 or BF16. */
  protected abstract DType dtype();

  @ParameterizedTest
  @MethodSource("cases")
  void isAsNearAsTorch(String name) {
    PipelineCase c = PipelineCase.load(name);
    LoadOptions options = c.options().device(device()).dtype(dtype()).build();
    try (DistriPipeline p = c.pipeline(DistriConfig.defaults(), options)) {
      c.check(p, HalfErrors.of(dtype()));
    }
  }
}
