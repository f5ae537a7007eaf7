package io.github.distrifuser.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.distrifuser.models.Bf16Errors;
import io.github.distrifuser.models.ReferenceModels;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.pipelines.DistriPipeline;
import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.PipelineCase;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.weights.SafetensorsFile;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole generations in bfloat16, where this CPU computes in it. */
class OneDnnBf16PipelineTest {
  private static final String LATENTS = "/latents";

  @BeforeAll
  static void needsInstructions() {
    assumeTrue(ComputeTypes.of(DType.BF16) == DType.BF16, "no bfloat16 instructions");
  }

  static List<String> cases() {
    List<String> names = Bf16Errors.load().names("pipeline/");
    assertEquals(12, names.size(), names::toString);
    return names.stream().map(n -> n.substring(0, n.length() - LATENTS.length())).toList();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void isAsNearAsTorch(String name) {
    PipelineCase c = PipelineCase.load(name);
    LoadOptions options = c.options().device("onednn").dtype(DType.BF16).build();
    try (DistriPipeline p = c.pipeline(DistriConfig.defaults(), options);
        SafetensorsFile f = ReferenceModels.tensors(name)) {
      NdArray found = p.generate(c.request().build()).latents();
      Bf16Errors.load().assertWithin(name + LATENTS, ReferenceModels.array(f, "latents"), found);
    }
  }
}
