package io.github.distrifuser.pipelines;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.tensor.NdArray;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Callbacks that read and replace the loop's tensors. */
class StepCallbackTest {
  private static final PipelineCase CASE = PipelineCase.load("calls/sdxl_callback");
  private static final List<String> ALL =
      List.of("latents", "prompt_embeds", "add_text_embeds", "add_time_ids");

  private static DistriPipeline pipeline(PipelineCase c) {
    return c.pipeline(DistriConfig.defaults(), c.options().device("reference").build());
  }

  @ParameterizedTest
  @CsvSource({"2, true, patch", "2, false, patch", "4, true, patch", "2, false, tensor"})
  void replacesOnSeveralRanks(int ranks, boolean splitBatch, String parallelism) {
    DistriConfig config =
        DistriConfig.builder()
            .height(64)
            .width(64)
            .mode("full_sync")
            .splitBatch(splitBatch)
            .parallelism(parallelism)
            .build();
    LoadOptions options = CASE.options().device("reference").localRanks(ranks).threads(1).build();
    try (DistriPipeline p = CASE.pipeline(config, options)) {
      assertEquals(ranks, p.worldSize());
      CASE.check(p);
    }
  }

  @Test
  void givesWhatWasAskedFor() {
    try (DistriPipeline p = pipeline(CASE)) {
      assertEquals(ALL, p.callbackTensorInputs());
      List<Map<String, NdArray>> seen = new ArrayList<>();
      StepCallback callback =
          s -> {
            if (s.step() == 1) {
              NdArray ids = s.tensors().get("add_time_ids");
              s.replace("add_time_ids", NdArray.zeros(ids.shape().toArray()));
            }
            seen.add(s.tensors());
          };
      GenerationRequest.Builder b = CASE.request().numInferenceSteps(3).callbackOnStepEnd(callback);
      p.generate(b.callbackOnStepEndTensorInputs(ALL).outputType(OutputType.LATENT).build());
      assertEquals(ALL, List.copyOf(seen.get(0).keySet()));
      assertEquals("[4, 77, 80]", seen.get(0).get("prompt_embeds").shape().toString());
      NdArray zeros = NdArray.zeros(4, 6);
      assertTrue(!seen.get(0).get("add_time_ids").equals(zeros));
      assertEquals(zeros, seen.get(1).get("add_time_ids"));
      assertEquals(zeros, seen.get(2).get("add_time_ids"), "forgotten in the next step");
    }
  }

  @Test
  void namesTheChoices() {
    PipelineCase sd = PipelineCase.load("calls/sd1_callback");
    try (DistriPipeline p = pipeline(sd)) {
      GenerationRequest.Builder b = sd.request().callbackOnStepEnd(s -> {});
      GenerationRequest bad =
          b.callbackOnStepEndTensorInputs(List.of("latents", "add_time_ids")).build();
      Exception e = assertThrows(IllegalArgumentException.class, () -> p.generate(bad));
      assertEquals(
          "callback_on_step_end_tensor_inputs: expected names out of latents, prompt_embeds,"
              + " negative_prompt_embeds, found add_time_ids",
          e.getMessage());
      b.callbackOnStepEndTensorInputs(List.of("latents"));
      GenerationRequest unknown = b.callbackOnStepEnd(s -> s.replace("noise", s.latents())).build();
      e = assertThrows(IllegalArgumentException.class, () -> p.generate(unknown));
      assertTrue(e.getMessage().contains("negative_prompt_embeds, found noise"), e.getMessage());
      GenerationRequest misshapen =
          b.callbackOnStepEnd(s -> s.replace("prompt_embeds", NdArray.zeros(1, 77, 32))).build();
      e = assertThrows(IllegalArgumentException.class, () -> p.generate(misshapen));
      assertEquals("prompt_embeds: expected [2, 77, 32], found [1, 77, 32]", e.getMessage());
    }
  }
}
