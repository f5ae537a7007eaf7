package io.github.distrifuser.schedulers;

import static io.github.distrifuser.schedulers.Cases.assertClose;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.distrifuser.random.TorchGenerator;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.SafetensorsFile;
import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whole trajectories against diffusers, where {@code 0.8 tanh(scaled sample) + 0.1 sin(call)}
 * stands in for the model.
 */
class SchedulerCasesTest {
  private static final double RTOL = 1e-5;
  private static final ObjectMapper JSON = new ObjectMapper();

  record Case(
      String folder,
      String name,
      String className,
      Map<String, Object> config,
      int steps,
      double initNoiseSigma,
      @Nullable Integer noiseSeed,
      double eta,
      double churn,
      List<Double> timesteps,
      List<Double> sigmas) {
    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Case> cases() throws IOException {
    return read("schedulers");
  }

  private static Stream<Case> read(String folder) throws IOException {
    JsonNode index = JSON.readTree(Cases.path(folder).resolve("index.json").toFile());
    return StreamSupport.stream(index.spliterator(), false).map(n -> toCase(folder, n));
  }

  private static Case toCase(String folder, JsonNode n) {
    return new Case(
        folder,
        n.get("case").asText(),
        n.get("class").asText(),
        JSON.convertValue(n.get("config"), Schedulers.CONFIG_TYPE),
        n.get("num_inference_steps").asInt(),
        n.get("init_noise_sigma").asDouble(),
        n.get("noise_generator_seed").isNull() ? null : n.get("noise_generator_seed").asInt(),
        n.path("eta").asDouble(0),
        n.path("s_churn").asDouble(0),
        numbers(n.path("timesteps")),
        numbers(n.path("sigmas")));
  }

  private static List<Double> numbers(JsonNode list) {
    return StreamSupport.stream(list.spliterator(), false).map(JsonNode::asDouble).toList();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void followsTheReference(Case c) {
    Map<String, Object> config = new LinkedHashMap<>(c.config());
    config.put("_class_name", c.className());
    Scheduler s = Schedulers.fromConfig(config);
    begin(s, c);
    try (SafetensorsFile file =
        SafetensorsFile.open(Cases.path(c.folder()).resolve(c.name() + ".safetensors"))) {
      assertClose("timesteps", Cases.doubles(file, "timesteps"), s.timesteps(), 1e-6);
      assertEquals(c.initNoiseSigma(), s.initNoiseSigma(), 1e-6 * c.initNoiseSigma());
      if (s.sigmas().length > 0) {
        assertClose("sigmas", Cases.doubles(file, "sigmas"), Cases.widen(s.sigmas()), 1e-6);
      }
      float[] sample = Cases.floats(file, "first_sample");
      Shape shape = file.get("first_sample").shape();
      float[] samples = Cases.floats(file, "samples");
      StepOptions options = options(c, shape);
      double[] timesteps = s.timesteps();
      for (int i = 0; i < timesteps.length; i++) {
        float[] output = model(s.scaleModelInput(sample, timesteps[i]), i);
        float[] given = sample.clone();
        StepResult result = s.step(output, timesteps[i], sample, options);
        assertArrayEquals(given, sample, "the scheduler changed the sample it was given");
        Arrays.fill(output, Float.NaN); // a scheduler keeps nothing of the caller's
        sample = result.prevSample();
        float[] expected = Arrays.copyOfRange(samples, i * sample.length, (i + 1) * sample.length);
        assertClose("sample after call " + i, expected, sample, RTOL);
      }
      assertEquals(samples.length, timesteps.length * sample.length, "number of steps");
    }
  }

  private static void begin(Scheduler s, Case c) {
    if (!c.timesteps().isEmpty()) {
      s.useTimesteps(c.timesteps().stream().mapToDouble(d -> d).toArray());
    } else if (!c.sigmas().isEmpty()) {
      s.useSigmas(c.sigmas().stream().mapToDouble(d -> d).toArray());
    } else {
      s.setTimesteps(c.steps());
    }
  }

  private static StepOptions options(Case c, Shape shape) {
    Integer seed = c.noiseSeed();
    StepOptions options =
        seed == null
            ? StepOptions.of(shape, List.of())
            : StepOptions.of(shape, new TorchGenerator(seed));
    return options
        .withEta(c.eta())
        .withChurn(new StepOptions.Churn(c.churn(), 0, Double.POSITIVE_INFINITY, 1));
  }

  private static float[] model(float[] input, int call) {
    float[] out = new float[input.length];
    float shift = (float) (0.1 * Math.sin(call));
    for (int i = 0; i < out.length; i++) {
      out[i] = 0.8f * (float) Math.tanh(input[i]) + shift;
    }
    return out;
  }
}
