package io.github.distrifuser.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code --trace}: what all ranks did, on one time line. */
@EnabledOnOs(OS.LINUX)
class TraceTest {
  private static final int STEPS = 4;

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"--threads", "--nnodes=1"})
  void showsComputeCommunicationAndWaitsOfAllRanks(String threads) throws Exception {
    Scene scene = new Scene(folder);
    Path file = folder.resolve("trace.json");
    Distrirun.Result result =
        new Distrirun(folder)
            .run(
                scene.environment(),
                List.of(
                    "--nproc_per_node=2",
                    threads,
                    "--threads_per_rank=1",
                    "run_sdxl",
                    "--model",
                    Scene.tinyModel(),
                    "--image_size",
                    "128",
                    "--num_inference_steps",
                    "" + STEPS,
                    "--warmup_steps",
                    "1",
                    "--no_split_batch",
                    "--output_path",
                    scene.picture().toString(),
                    "--trace",
                    file.toString()));
    assertEquals(0, result.status(), result.err().toString());
    JsonNode events = new JsonMapper().readTree(file.toFile()).get("traceEvents");
    Map<String, String> tracks = new HashMap<>();
    for (JsonNode e : events) {
      if (e.get("name").asText().equals("thread_name")) {
        tracks.put(track(e), e.get("args").get("name").asText());
      }
    }
    assertEquals(
        new TreeSet<>(
            List.of(
                "0 communication",
                "0 compute",
                "0 wait",
                "1 communication",
                "1 compute",
                "1 wait")),
        names(events, tracks));
    double[][] spans = {span(events, tracks, 0), span(events, tracks, 1)};
    double overlap = Math.min(spans[0][1], spans[1][1]) - Math.max(spans[0][0], spans[1][0]);
    double all = Math.max(spans[0][1], spans[1][1]) - Math.min(spans[0][0], spans[1][0]);
    // The ranks exchange something in each step: on one clock they compute at the same time.
    assertTrue(overlap > all / 2, "ranks compute from " + show(spans[0]) + ", " + show(spans[1]));
    assertTrue(result.out().toString().contains("on 2 ranks"), result.out().toString());
  }

  private static String track(JsonNode e) {
    return e.get("pid").asInt() + " " + e.get("tid").asInt();
  }

  /** Rank and kind of all tracks that have an event. */
  private static TreeSet<String> names(JsonNode events, Map<String, String> tracks) {
    TreeSet<String> names = new TreeSet<>();
    for (JsonNode e : events) {
      if (e.get("ph").asText().equals("X")) {
        assertTrue(e.get("ts").asDouble() >= 0 && e.get("dur").asDouble() >= 0, e.toString());
        names.add(e.get("pid").asInt() + " " + tracks.get(track(e)));
      }
    }
    return names;
  }

  /** When a rank began and ended to compute, in µs. */
  private static double[] span(JsonNode events, Map<String, String> tracks, int rank) {
    double[] span = {Double.MAX_VALUE, 0};
    TreeSet<String> steps = new TreeSet<>();
    for (JsonNode e : events) {
      if (e.get("pid").asInt() == rank
          && "compute".equals(tracks.get(track(e)))
          && e.get("ph").asText().equals("X")) {
        steps.add(e.get("name").asText());
        span[0] = Math.min(span[0], e.get("ts").asDouble());
        span[1] = Math.max(span[1], e.get("ts").asDouble() + e.get("dur").asDouble());
      }
    }
    assertTrue(steps.size() >= STEPS, "rank " + rank + " computed " + steps);
    return span;
  }

  private static String show(double[] span) {
    return span[0] + " to " + span[1];
  }
}
