package io.github.distrifuser.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntSupplier;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** plan, profile_macs and plot_reports from their command lines, on the small model. */
class PlanCommandTest {
  @TempDir Path folder;

  private record Outcome(int status, String out, String err) {}

  private static Outcome run(IntSupplier main) {
    PrintStream out = System.out;
    PrintStream err = System.err;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    ByteArrayOutputStream errors = new ByteArrayOutputStream();
    try {
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      System.setErr(new PrintStream(errors, true, StandardCharsets.UTF_8));
      int status = main.getAsInt();
      return new Outcome(
          status,
          printed.toString(StandardCharsets.UTF_8),
          errors.toString(StandardCharsets.UTF_8));
    } finally {
      System.setOut(out);
      System.setErr(err);
    }
  }

  private static Outcome plan(String... args) {
    return run(() -> PlanCommand.run("plan", args));
  }

  private static Outcome planSmall(String... more) {
    List<String> args =
        new ArrayList<>(
            List.of("--model", "landscapes", "--num_inference_steps", "9", "--ranks", "1,2,4"));
    args.addAll(List.of(more));
    return plan(args.toArray(new String[0]));
  }

  @Test
  void theReportHasARowForEachNumberOfRanks() {
    Path file = folder.resolve("plan.json");
    Outcome o =
        planSmall("--one-device-latency", "3.5", "--report", file.toString(), "--no_split_batch");
    assertEquals(0, o.status, o.err);
    ObjectNode report = JsonReports.read(file);
    List<Integer> ranks = new ArrayList<>();
    for (JsonNode row : report.get("rows")) {
      ranks.add(row.get("ranks").asInt());
      assertEquals(9, row.get("step_s").size());
      assertEquals(3.5 / row.get("latency_s").asDouble(), row.get("speedup").asDouble(), 1e-6);
      assertTrue(row.get("peak_bytes").asLong() > 0);
      assertEquals(row.get("ranks").asInt(), row.get("per_rank").size());
      boolean several = row.get("ranks").asInt() > 1;
      assertEquals(several, row.get("bytes_sent_per_step").asDouble() > 0);
      assertTrue(row.get("wait_s_per_step").asDouble() >= 0);
    }
    assertEquals(List.of(1, 2, 4), ranks);
    assertEquals(3.5, report.get("rows").get(0).get("latency_s").asDouble(), 1e-6);
    assertEquals(5, o.out.lines().count());
  }

  @Test
  void calibrationMeasuresThisMachine() {
    Path file = folder.resolve("plan.json");
    Outcome o =
        planSmall(
            "--calibrate",
            "--no_split_batch",
            "--image_size",
            "64",
            "--ranks",
            "1,2",
            "--report",
            file.toString());
    assertEquals(0, o.status, o.err);
    ObjectNode report = JsonReports.read(file);
    assertEquals("cpu", report.get("device").asText());
    assertEquals("float32", report.get("dtype").asText());
    report.get("rows").forEach(r -> assertTrue(r.get("latency_s").asDouble() > 0));
  }

  @Test
  void plotsAreDrawn() throws IOException {
    Path png = folder.resolve("plan.png");
    Path svg = folder.resolve("plan.svg");
    assertEquals(0, planSmall("--plot", png.toString()).status);
    assertEquals(0, planSmall("--plot", svg.toString()).status);
    BufferedImage image = ImageIO.read(png.toFile());
    assertEquals(2 * 2 * 560, image.getWidth());
    assertEquals(2 * 420, image.getHeight());
    assertTrue(inked(image) > 1000, "hardly anything is drawn");
    String text = Files.readString(svg);
    assertTrue(text.contains("<svg"), text);
    assertTrue(text.contains("<path"), "nothing is drawn");
  }

  private static long inked(BufferedImage image) {
    long n = 0;
    for (int y = 0; y < image.getHeight(); y++) {
      for (int x = 0; x < image.getWidth(); x++) {
        n += (image.getRGB(x, y) & 0xffffff) != 0xffffff ? 1 : 0;
      }
    }
    return n;
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--ranks 1,x|--ranks must be whole numbers from 1 to 64, found '1,x'",
        "--ranks 65|--ranks must be whole numbers from 1 to 64, found '65'",
        "--device A10|unknown device 'A10': choose from A100,",
        "--link wifi|unknown link 'wifi': choose from nvlink, pcie4, ethernet",
        "--device L4|L4 has no NVLink",
        "--device cpu|--device cpu needs --calibrate",
        "--calibrate --link pcie4|--calibrate measures this machine",
        "--plot x.gif|x.gif: the name of a plot ends in .png or .svg",
        "--image_size 100|--image_size has to be a positive multiple of 8",
        "--one_device_latency 0.000001|starting its operators alone takes",
        "--model landscapes --ranks 64 --image_size 64|cannot split 8 rows",
      })
  void wrongCommandLines(String args, String message) {
    Outcome o = plan(args.split(" "));
    assertEquals(2, o.status, o.err);
    assertTrue(o.err.startsWith("error: "), o.err);
    assertTrue(o.err.contains(message), o.err);
    assertEquals(1, o.err.lines().count());
  }

  @Test
  void macsArePrintedAndReported() {
    Path file = folder.resolve("macs.json");
    String[] args = {
      "--model", "landscapes", "--image_size", "128", "--ranks", "2", "--report", file.toString()
    };
    Outcome o = run(() -> MacsCommand.run("profile_macs", args));
    assertEquals(0, o.status, o.err);
    assertTrue(o.out.lines().findFirst().orElse("").matches("MACs: [0-9]+\\.[0-9]{3}G"), o.out);
    ObjectNode report = JsonReports.read(file);
    long sum = 0;
    for (JsonNode kind : report.get("by_kind")) {
      sum += kind.asLong();
    }
    assertEquals(report.get("macs").asLong(), sum);
    assertEquals(2, report.get("ranks").size());
  }

  @Test
  void reportsAreDrawn() throws IOException {
    Path plan = folder.resolve("plan.json");
    assertEquals(0, planSmall("--report", plan.toString()).status);
    Path measured = folder.resolve("two.json");
    Files.writeString(measured, "{\"ranks\": 2, \"latency_s\": 2.5}");
    Path quality = folder.resolve("quality.json");
    Files.writeString(quality, "{\"psnr\": 30.5, \"lpips\": 0.02}");
    Path png = folder.resolve("all.png");
    Outcome o = plot(png, "planned=" + plan, "measured=" + measured, "measured@2=" + quality);
    assertEquals(0, o.status, o.err);
    assertEquals(4 * 2 * 560, ImageIO.read(png.toFile()).getWidth()); // with speed-up, PSNR, LPIPS
    Outcome unknown = plot(png, "measured=" + quality);
    assertEquals(1, unknown.status);
    assertTrue(unknown.err.contains("of how many ranks?"), unknown.err);
    Outcome missing = plot(png, "x=" + folder.resolve("none.json"));
    assertEquals(1, missing.status);
    assertTrue(missing.err.contains("none.json: no such file"), missing.err);
    assertEquals(2, plot(png, "x").status);
  }

  private static Outcome plot(Path output, String... lines) {
    List<String> args = new ArrayList<>(List.of("--output", output.toString()));
    args.addAll(List.of(lines));
    return run(() -> PlotCommand.run("plot_reports", args.toArray(new String[0])));
  }
}
