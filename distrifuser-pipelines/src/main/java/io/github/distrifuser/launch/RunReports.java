package io.github.distrifuser.launch;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.distrifuser.pipelines.DistriPipeline;
import io.github.distrifuser.pipelines.RunReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** The JSON that {@code --report} writes. */
final class RunReports {
  private static final JsonMapper JSON = new JsonMapper();

  private RunReports() {}

  /** Gathers what the ranks tell, and writes it on rank 0; called by all ranks. */
  static void write(
      Path file,
      DistriPipeline pipeline,
      RunReport run,
      double loadSeconds,
      List<Double> runs,
      double latency) {
    ObjectNode mine = JSON.createObjectNode();
    mine.put("peak_rss_bytes", ProcessMemory.peakRssBytes());
    mine.set("bytes_sent_per_step", JSON.valueToTree(run.bytesSentPerStep()));
    mine.set("wait_s_per_step", JSON.valueToTree(run.waitSecondsPerStep()));
    List<byte[]> all = pipeline.communicator().allGatherBytes(bytes(mine));
    if (pipeline.rank() != 0) {
      return;
    }
    ObjectNode report = JSON.createObjectNode();
    report.put("latency_s", latency);
    report.set("runs_s", JSON.valueToTree(runs));
    report.put("step_s", run.stepSeconds().stream().mapToDouble(Double::doubleValue).sum());
    report.put("load_s", loadSeconds);
    report.put("encode_s", run.encodeSeconds());
    report.put("decode_s", run.decodeSeconds());
    report.put("ranks", pipeline.worldSize());
    report.put("device", pipeline.parts().backend().device().kind());
    report.put("dtype", pipeline.parts().dtype().torchName());
    report.put("threads_per_rank", pipeline.parts().threadsPerRank());
    long rss = 0;
    ArrayNode bytesSent = JSON.createArrayNode();
    ArrayNode waits = JSON.createArrayNode();
    for (byte[] b : all) {
      JsonNode theirs = parse(b);
      rss += theirs.get("peak_rss_bytes").asLong();
      theirs.get("bytes_sent_per_step").forEach(bytesSent::add);
      theirs.get("wait_s_per_step").forEach(waits::add);
    }
    report.put("peak_rss_bytes", rss);
    report.set("bytes_sent_per_step", bytesSent);
    report.set("wait_s_per_step", waits);
    JsonReports.write(file, report);
  }

  private static byte[] bytes(JsonNode node) {
    try {
      return JSON.writeValueAsBytes(node);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private static JsonNode parse(byte[] bytes) {
    try {
      return JSON.readTree(bytes);
    } catch (IOException e) {
      throw new IllegalStateException("another rank's report cannot be read", e);
    }
  }
}
