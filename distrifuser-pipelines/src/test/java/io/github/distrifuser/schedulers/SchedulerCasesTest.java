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
import java.nio.file.Files;
import java.nio.file.Path;
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
      List<Double> sigmas,
      @Nullable String fromClass) {

    /** Cases lie in a file each, or all in one under their names. */
    SafetensorsFile open() {
      Path own = Cases.path(folder).resolve(name + ".safetensors");
      return SafetensorsFile.open(
          Files.exists(own) ? own : Cases.path(folder).resolve("cases.safetensors"));
    }

    String key(SafetensorsFile file, String tensor) {
      return file.has(tensor) ? tensor : name + "." + tensor;
    }

    /** As diffusers builds it: from its own configuration, or from that of another class. */
    Scheduler build() {
      Map<String, Object> content = new LinkedHashMap<>(config);
      if (fromClass == null) {
        content.put("_class_name", className);
        return Schedulers.fromConfig(content);
      }
      content.put("_class_name", fromClass);
      return Schedulers.fromConfig(
          SchedulerKind.ofClassName(className), Schedulers.fromConfig(content).config().given());
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Case> cases() throws IOException {
    return Stream.concat(read("schedulers"), read("scheduler_options"));
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
        numbers(n.path("sigmas")),
        n.has("from_class") ? n.get("from_class").asText() : null);
  }

  private static List<Double> numbers(JsonNode list) {
    return StreamSupport.stream(list.spliterator(), false).map(JsonNode::asDouble).toList();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void followsTheReference(Case c) {
    Scheduler s = c.build();
    assertEquals(c.className(), s.getClass().getSimpleName());
    begin(s, c);
    try (SafetensorsFile file = c.open()) {
      assertClose("timesteps", Cases.doubles(file, c.key(file, "timesteps")), s.timesteps(), 1e-6);
      assertEquals(c.initNoiseSigma(), s.initNoiseSigma(), 1e-6 * c.initNoiseSigma());
      if (s.sigmas().length > 0) {
        assertClose(
            "sigmas", Cases.doubles(file, c.key(file, "sigmas")), Cases.widen(s.sigmas()), 1e-6);
      }
      float[] sample = Cases.floats(file, c.key(file, "first_sample"));
      Shape shape = file.get(c.key(file, "first_sample")).shape();
      float[] samples = Cases.floats(file, c.key(file, "samples"));
      StepOptions options = options(c, shape);
      double[] timesteps = s.timesteps();
      String noised = c.key(file, "add_noise");
      if (file.has(noised)) {
        float[] noise = new TorchGenerator(7).randn(shape.toArray());
        float[] found = s.addNoise(sample, noise, timesteps[2], timesteps[timesteps.length - 1]);
        assertClose("add_noise", Cases.floats(file, noised), found, RTOL);
      }
      double lost = 0;
      for (int i = 0; i < timesteps.length; i++) {
        float[] output = model(s.scaleModelInput(sample, timesteps[i]), i);
        float[] given = sample.clone();
        StepResult result = s.step(output, timesteps[i], sample, options);
        assertArrayEquals(given, sample, "the scheduler changed the sample it was given");
        Arrays.fill(output, Float.NaN); // a scheduler keeps nothing of the caller's
        Arrays.fill(sample, Float.NaN);
        sample = result.prevSample();
        float[] expected = Arrays.copyOfRange(samples, i * sample.length, (i + 1) * sample.length);
        // torch's float32 square root is off by one bit in one case of six. A step down from sigma
        // 4096 cancels digits, so that such a bit of what went in shows in all that follows.
        lost = Math.max(lost, Math.ulp((float) Cases.max(given)));
        double atol = RTOL * Cases.max(expected) + lost;
        Cases.assertWithin("sample after call " + i, expected, sample, atol);
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
