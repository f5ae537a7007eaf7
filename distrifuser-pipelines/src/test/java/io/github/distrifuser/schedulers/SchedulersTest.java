package io.github.distrifuser.schedulers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.random.TorchGenerator;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class SchedulersTest {
  private static final Map<String, Object> SD =
      Map.of("beta_start", 0.00085, "beta_end", 0.012, "beta_schedule", "scaled_linear");

  private static Scheduler build(SchedulerKind kind, Object... keysAndValues) {
    Map<String, @Nullable Object> config = new HashMap<>(SD);
    for (int i = 0; i < keysAndValues.length; i += 2) {
      config.put((String) keysAndValues[i], keysAndValues[i + 1]);
    }
    return Schedulers.fromConfig(kind, config);
  }

  private static String message(Runnable r) {
    return assertThrows(IllegalArgumentException.class, r::run).getMessage();
  }

  @ParameterizedTest
  @ValueSource(strings = {"tiny-sd1", "tiny-sd2", "tiny-sdxl"})
  void readsTheModelsOwnConfiguration(String model) throws IOException {
    Path file =
        Path.of(System.getProperty("distrifuser.testResources"), "models", model)
            .resolve("scheduler/scheduler_config.json");
    Map<String, @Nullable Object> config = Schedulers.readConfig(file);
    Scheduler s = Schedulers.fromConfig(SchedulerKind.DEFAULT, config);
    assertEquals(config.get("_class_name"), s.getClass().getSimpleName());
    assertEquals(1000, s.config().numTrainTimesteps());
    assertEquals(config, s.config().given());
    for (Map.Entry<String, @Nullable Object> e : s.config().values().entrySet()) {
      if (config.containsKey(e.getKey())) {
        assertEquals(config.get(e.getKey()), e.getValue(), e.getKey());
      }
    }
  }

  @Test
  void readsInfinityAndNamesABrokenFile(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("scheduler_config.json");
    Files.writeString(
        file, "{\"_class_name\":\"DPMSolverMultistepScheduler\",\"lambda_min_clipped\":-Infinity}");
    Scheduler s = Schedulers.fromConfig(Schedulers.readConfig(file));
    assertEquals(Double.NEGATIVE_INFINITY, s.config().values().get("lambda_min_clipped"));

    Files.writeString(file, "[1]");
    IOException e = assertThrows(IOException.class, () -> Schedulers.readConfig(file));
    assertTrue(e.getMessage().contains(file.toString()), e.getMessage());
  }

  @ParameterizedTest
  @EnumSource
  void parsesTheNamesOfTheCommandLine(SchedulerKind kind) {
    assertEquals(kind, SchedulerKind.ofCliName(kind.cliName()));
    if (kind != SchedulerKind.DEFAULT) {
      assertEquals(kind, SchedulerKind.ofClassName(kind.className()));
      assertEquals(kind.className(), build(kind).config().className());
    }
  }

  @Test
  void anUnknownNameListsTheChoices() {
    assertEquals(
        "unknown scheduler 'edm': choose from ddim, euler, dpm-solver, pndm, euler_ancestral, heun,"
            + " lms, unipc, ddpm, lcm, default",
        message(() -> SchedulerKind.ofCliName("edm")));
    String byClass = message(() -> Schedulers.fromConfig(Map.of("_class_name", "EDMScheduler")));
    assertTrue(byClass.contains("'EDMScheduler': choose from DDIMScheduler, "), byClass);
    String without = message(() -> Schedulers.fromConfig(Map.of("beta_start", 0.1)));
    assertTrue(without.contains("_class_name"), without);
  }

  @ParameterizedTest
  @CsvSource({
    "DDIM, prediction_type, flow, 'epsilon, sample, v_prediction'",
    "PNDM, prediction_type, sample, 'epsilon, v_prediction'",
    "EULER_ANCESTRAL, prediction_type, sample, 'epsilon, v_prediction'",
    "EULER, timestep_spacing, middle, 'linspace, leading, trailing'",
    "EULER, beta_schedule, sigmoid, 'linear, scaled_linear, squaredcos_cap_v2'",
    "EULER, interpolation_type, cubic, 'linear, log_linear'",
    "EULER, timestep_type, odd, 'discrete, continuous'",
    "EULER, final_sigmas_type, half, 'zero, sigma_min'",
    "DPM_SOLVER, algorithm_type, dpm, 'dpmsolver, dpmsolver++, sde-dpmsolver, sde-dpmsolver++'",
    "DPM_SOLVER, solver_type, rk, 'midpoint, heun'",
    "DPM_SOLVER, prediction_type, flow_prediction, 'epsilon, sample, v_prediction'",
    "DPM_SOLVER, variance_type, learned_range, not implemented",
    "UNIPC, solver_type, bh3, 'bh1, bh2'",
    "DDPM, variance_type, learned, 'fixed_small, fixed_small_log, fixed_large'",
    "LCM, timestep_spacing, middle, 'linspace, leading, trailing'",
  })
  void anUnknownValueNamesKeyAndChoices(
      SchedulerKind kind, String key, String value, String choices) {
    String m = message(() -> build(kind, key, value));
    assertTrue(m.startsWith(kind.className()), m);
    assertTrue(m.contains(key) && m.contains(value), m);
    assertTrue(m.contains(choices), m);
  }

  @Test
  void whatIsNotImplementedIsRefused() {
    for (SchedulerKind kind : List.of(SchedulerKind.DPM_SOLVER, SchedulerKind.UNIPC)) {
      for (String key : List.of("use_flow_sigmas", "use_dynamic_shifting")) {
        String m = message(() -> build(kind, key, true));
        assertTrue(m.contains(key) && m.contains("not implemented"), m);
      }
      // Without flow sigmas its shift is of no account.
      assertEquals(kind.className(), build(kind, "flow_shift", 3.0).config().className());
    }
    String predictor = message(() -> build(SchedulerKind.UNIPC, "solver_p", Map.of("a", 1)));
    assertTrue(predictor.contains("solver_p"), predictor);
    String order = message(() -> build(SchedulerKind.DPM_SOLVER, "solver_order", 4));
    assertTrue(order.contains("solver_order") && order.contains("4"), order);
    String zero = message(() -> build(SchedulerKind.DPM_SOLVER, "algorithm_type", "dpmsolver"));
    assertTrue(zero.contains("final_sigmas_type") && zero.contains("sigma_min"), zero);
  }

  @Test
  void wrongTypesAndContradictionsAreErrors() {
    String number = message(() -> build(SchedulerKind.DDIM, "beta_start", "small"));
    assertTrue(number.contains("beta_start") && number.contains("small"), number);
    String whole = message(() -> build(SchedulerKind.DDIM, "steps_offset", 0.5));
    assertTrue(whole.contains("steps_offset") && whole.contains("0.5"), whole);
    String flag = message(() -> build(SchedulerKind.DDIM, "clip_sample", "yes"));
    assertTrue(flag.contains("clip_sample") && flag.contains("yes"), flag);
    String missing = message(() -> build(SchedulerKind.DDIM, "num_train_timesteps", null));
    assertTrue(missing.contains("num_train_timesteps") && missing.contains("null"), missing);
    String betas = message(() -> build(SchedulerKind.DDIM, "trained_betas", List.of(0.1, 0.2)));
    assertTrue(betas.contains("trained_betas") && betas.contains("2"), betas);
    String both =
        message(
            () -> build(SchedulerKind.EULER, "use_karras_sigmas", true, "use_beta_sigmas", true));
    assertTrue(both.contains("use_karras_sigmas") && both.contains("use_beta_sigmas"), both);
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "DEFAULT")
  void refusesWhatCannotBeRun(SchedulerKind kind) {
    Scheduler s = build(kind);
    float[] sample = new float[4];
    assertThrows(IllegalStateException.class, () -> s.step(sample, 1, sample));
    String none = message(() -> s.setTimesteps(0));
    assertTrue(none.contains("found 0"), none);
    String many = message(() -> s.setTimesteps(1001));
    assertTrue(many.contains("found 1001"), many);
    s.setTimesteps(5);
    String lengths = message(() -> s.step(new float[8], s.timesteps()[0], sample));
    assertTrue(lengths.contains("8") && lengths.contains("4"), lengths);
    String unknown = message(() -> s.addNoise(sample, new float[3], s.timesteps()[0]));
    assertTrue(unknown.contains("3") && unknown.contains("4"), unknown);
  }

  @Test
  void noiseNeedsAGeneratorAndAShape() {
    Scheduler s = build(SchedulerKind.EULER_ANCESTRAL);
    s.setTimesteps(3);
    float[] sample = new float[8];
    double t = s.timesteps()[0];
    String generator = message(() -> s.step(sample, t, sample));
    assertTrue(generator.contains("generator"), generator);
    StepOptions wrong = StepOptions.of(Shape.of(1, 1, 2, 2), new TorchGenerator(0));
    String shape = message(() -> s.step(sample, t, sample, wrong));
    assertTrue(shape.contains("[1, 1, 2, 2]") && shape.contains("8"), shape);

    Scheduler thresholding = build(SchedulerKind.DDIM, "thresholding", true);
    thresholding.setTimesteps(2);
    double first = thresholding.timesteps()[0];
    String image = message(() -> thresholding.step(sample, first, sample));
    assertTrue(image.contains("shape"), image);
    assertThrows(IllegalArgumentException.class, () -> StepOptions.none().withEta(-1));
  }

  /** One generator per image gives each image the noise that it would get alone. */
  @Test
  void imagesHaveTheirOwnGenerators() {
    float[] sample = new TorchGenerator(3).randn(2, 4, 2, 2);
    float[] output = new TorchGenerator(4).randn(2, 4, 2, 2);
    Scheduler both = build(SchedulerKind.EULER_ANCESTRAL);
    both.setTimesteps(4);
    StepOptions two =
        StepOptions.of(
            Shape.of(2, 4, 2, 2), List.of(new TorchGenerator(10), new TorchGenerator(11)));
    float[] prev = both.step(output, both.timesteps()[0], sample, two).prevSample();
    for (int image = 0; image < 2; image++) {
      Scheduler alone = both.fresh();
      alone.setTimesteps(4);
      float[] one =
          alone
              .step(
                  Arrays.copyOfRange(output, image * 16, image * 16 + 16),
                  alone.timesteps()[0],
                  Arrays.copyOfRange(sample, image * 16, image * 16 + 16),
                  StepOptions.of(Shape.of(1, 4, 2, 2), new TorchGenerator(10 + image)))
              .prevSample();
      assertArrayEquals(one, Arrays.copyOfRange(prev, image * 16, image * 16 + 16));
    }
  }

  /** A run in progress does not show in a fresh copy, nor in the next run. */
  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "DEFAULT")
  void runsAreIndependent(SchedulerKind kind) {
    Scheduler s = build(kind, "steps_offset", 1);
    float[] first = run(s, 4);
    s.setTimesteps(5);
    double t = s.timesteps()[0];
    float[] noise = new TorchGenerator(1).randn(1, 1, 4, 4);
    s.step(noise, t, s.scaleModelInput(noise, t), options());
    Scheduler fresh = s.fresh();
    assertNotSame(s, fresh);
    assertInstanceOf(s.getClass(), fresh);
    assertEquals(s.config().values(), fresh.config().values());
    assertArrayEquals(first, run(fresh, 4));
    assertArrayEquals(first, run(s, 4));
  }

  private static float[] run(Scheduler s, int steps) {
    s.setTimesteps(steps);
    float[] sample = new TorchGenerator(2).randn(1, 1, 4, 4);
    StepOptions options = options();
    for (double t : s.timesteps()) {
      float[] output = s.scaleModelInput(sample, t).clone();
      sample = s.step(output, t, sample, options).prevSample();
    }
    return sample;
  }

  private static StepOptions options() {
    return StepOptions.of(Shape.of(1, 1, 4, 4), new TorchGenerator(9));
  }

  @ParameterizedTest
  @EnumSource(names = {"DDIM", "PNDM", "EULER_ANCESTRAL", "LMS", "UNIPC"})
  void someTakeNoTimestepsOfTheCaller(SchedulerKind kind) {
    String m = message(() -> build(kind).useTimesteps(900, 100));
    assertTrue(m.contains(kind.className()) && m.contains("timesteps"), m);
  }

  @Test
  void ownTimestepsAreChecked() {
    String placed =
        message(() -> build(SchedulerKind.EULER, "use_karras_sigmas", true).useTimesteps(9, 1));
    assertTrue(placed.contains("use_karras_sigmas"), placed);
    String rising = message(() -> build(SchedulerKind.DDPM).useTimesteps(1, 9));
    assertTrue(rising.contains("9.0") && rising.contains("1.0"), rising);
    String beyond = message(() -> build(SchedulerKind.DPM_SOLVER).useTimesteps(1000));
    assertTrue(beyond.contains("1000"), beyond);
    String sigmas = message(() -> build(SchedulerKind.HEUN).useSigmas(2, 0));
    assertTrue(sigmas.contains("HeunDiscreteScheduler"), sigmas);
  }

  @Test
  void aRunMayBeginInTheMiddle() {
    Scheduler s = build(SchedulerKind.EULER);
    s.setTimesteps(5);
    s.setBeginIndex(2);
    float[] sample = {1, 2, 3, 4};
    double t = s.timesteps()[2];
    float sigma = s.sigmas()[2];
    float[] scaled = s.scaleModelInput(sample, t);
    assertEquals(4 / (float) Math.sqrt(sigma * sigma + 1), scaled[3], 1e-6);
    float[] noised = s.addNoise(sample, new float[] {1, 1, 1, 1}, t);
    assertEquals(1 + sigma, noised[0], 1e-6);
    String m = message(() -> s.setBeginIndex(-1));
    assertTrue(m.contains("-1"), m);
  }

  /** Upstream's rounding adds a timestep of -1 to 61 trailing steps; here there are 61. */
  @Test
  void trailingSpacingGivesAsManyTimestepsAsAsked() {
    for (int n = 1; n <= 1000; n++) {
      double[] t = Grid.timesteps(TimestepSpacing.TRAILING, 1000, n, 0);
      assertEquals(n, t.length);
      assertEquals(999, t[0]);
      assertTrue(t[n - 1] >= 0);
    }
  }

  @Test
  void lcmStaysWithinItsDistillationSchedule() {
    String m = message(() -> build(SchedulerKind.LCM).setTimesteps(51));
    assertTrue(m.contains("original_inference_steps 50"), m);
    assertEquals(2, build(SchedulerKind.HEUN).order());
    assertEquals(1, build(SchedulerKind.LCM).order());
  }

  @Test
  void embedsTheGuidanceScale() {
    try (SafetensorsFile file =
        SafetensorsFile.open(Cases.path("scheduler_options").resolve("cases.safetensors"))) {
      Map<Double, Integer> scales = new LinkedHashMap<>(Map.of(7.5, 256, 0.0, 8, 3.25, 33));
      scales.forEach(
          (w, dim) ->
              Cases.assertWithin(
                  "guidance " + w,
                  Cases.floats(file, "guidance_embedding." + w + "." + dim),
                  GuidanceScaleEmbedding.of(w, dim),
                  2e-3));
    }
    String m = message(() -> GuidanceScaleEmbedding.of(1, 2));
    assertTrue(m.contains("2"), m);
  }
}
