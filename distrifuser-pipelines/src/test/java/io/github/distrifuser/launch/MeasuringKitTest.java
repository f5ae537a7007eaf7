package io.github.distrifuser.launch;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.distrifuser.image.ImageFiles;
import io.github.distrifuser.metrics.Expected;
import io.github.distrifuser.metrics.Formula;
import io.github.distrifuser.weights.SafetensorsWriter;
import io.github.distrifuser.weights.WeightTensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToIntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** compute_metrics, dump_coco and export_html by their command lines. */
class MeasuringKitTest {
  @TempDir Path folder;
  private String out = "";
  private String err = "";

  private int run(ToIntFunction<String[]> main, Object... args) {
    PrintStream outBefore = System.out;
    PrintStream errBefore = System.err;
    ByteArrayOutputStream o = new ByteArrayOutputStream();
    ByteArrayOutputStream e = new ByteArrayOutputStream();
    try {
      System.setOut(new PrintStream(o, true, UTF_8));
      System.setErr(new PrintStream(e, true, UTF_8));
      return main.applyAsInt(Arrays.stream(args).map(Object::toString).toArray(String[]::new));
    } finally {
      System.setOut(outBefore);
      System.setErr(errBefore);
      out = o.toString(UTF_8);
      err = e.toString(UTF_8);
    }
  }

  private Path save(String name, int number, boolean noisy) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    Formula.picture(number, 64, 64, noisy).save(file);
    return file;
  }

  // --- compute_metrics ---

  @Test
  void psnrAndLpipsFromFilesAndTheirReport() throws IOException {
    save("a/0.png", 3, false);
    save("b/0.png", 3, true);
    SafetensorsWriter writer = new SafetensorsWriter();
    int[] layers = {0, 3, 6, 8, 10};
    long[] channels = {3, 64, 192, 384, 256, 256};
    long[] kernels = {11, 5, 3, 3, 3};
    for (int i = 0; i < 5; i++) {
      String name = "features." + layers[i];
      add(writer, name + ".weight", channels[i + 1], channels[i], kernels[i], kernels[i]);
      add(writer, name + ".bias", channels[i + 1]);
      add(writer, "lin" + i + ".model.1.weight", 1, channels[i + 1], 1, 1);
    }
    Path weights = folder.resolve("weights.safetensors");
    writer.write(weights);
    Path report = folder.resolve("report.json");
    int status =
        run(
            ComputeMetricsCommand::run,
            "--input-root0",
            folder.resolve("a"),
            "--input_root1=" + folder.resolve("b"),
            "--metrics=psnr,lpips",
            "--lpips_weights",
            weights,
            "--device",
            "reference",
            "--report",
            report);
    assertEquals(0, status, err);
    List<String> lines = out.lines().toList();
    assertEquals(2, lines.size(), out);
    Expected expected = new Expected();
    assertTrue(lines.get(0).startsWith("PSNR: "), out);
    expected.check(Double.parseDouble(lines.get(0).substring(6)), "psnr_each", 3);
    assertTrue(lines.get(1).startsWith("LPIPS: "), out);
    expected.check(Double.parseDouble(lines.get(1).substring(7)), "lpips_each", 3);
    JsonNode json = new JsonMapper().readTree(report.toFile());
    assertEquals(lines.get(0), "PSNR: " + json.path("psnr").asDouble());
    assertEquals("0", json.path("pairs").path(0).path("name").asText());
    assertFalse(json.has("fid"));
  }

  private static void add(SafetensorsWriter writer, String name, long... shape) {
    WeightTensor t = Formula.weight(name, shape);
    writer.add(name, t.dtype(), t.shape(), t.toFloats());
  }

  @Test
  void weightsThatAreNotThereAreToldWithWhereToGetThem() throws IOException {
    save("a/0.png", 3, false);
    int status =
        run(
            ComputeMetricsCommand::run,
            "--input_root0",
            folder.resolve("a"),
            "--input_root1",
            folder.resolve("a"));
    assertEquals(2, status);
    assertTrue(err.startsWith("error: --lpips_weights is not given: "), err);
    assertTrue(err.contains("lpips/weights/v0.1/alex.pth of the Python package lpips"), err);
    assertEquals(1, err.lines().count(), err);
  }

  @Test
  void equalFoldersGiveAnInfinitePsnr() throws IOException {
    save("a/0.png", 3, false);
    Path report = folder.resolve("report.json");
    Path a = folder.resolve("a");
    assertEquals(
        0,
        run(
            ComputeMetricsCommand::run,
            "--input_root0",
            a,
            "--input_root1",
            a,
            "--metrics",
            "psnr",
            "--report",
            report),
        err);
    assertEquals("PSNR: inf", out.strip());
    assertTrue(new JsonMapper().readTree(report.toFile()).path("psnr").isNull());
  }

  // --- dump_coco ---

  @ParameterizedTest
  @ValueSource(strings = {"snappy", "zstd", "gzip", "none"})
  void parquetFilesGiveTheirPicturesAndTheCaptionsToDraw(String compression) throws IOException {
    Path file = Expected.folder().resolve(compression + ".parquet");
    Path root = folder.resolve("coco");
    assertEquals(0, run(DumpCocoCommand::run, "--parquet", file, "--output_root", root), err);
    JsonNode prompts = new JsonMapper().readTree(root.resolve("prompts.json").toFile());
    assertEquals(5, prompts.size());
    for (int i = 0; i < 5; i++) {
      assertEquals("caption " + i + " " + i % 3 + " é", prompts.path(i).asText());
      assertEquals(
          Formula.picture(i, 16, 24, false),
          ImageFiles.read(root.resolve("images/000" + i + ".png")));
    }
  }

  @Test
  void aParquetFileOfAnotherKindIsNamed() {
    Path file = Expected.folder().resolve("no_captions.parquet");
    Path root = folder.resolve("coco");
    assertEquals(1, run(DumpCocoCommand::run, "--parquet", file, "--output_root", root));
    assertTrue(err.startsWith("error: " + file + ": has no column 'sentences_raw'"), err);
    Path jpeg = Expected.folder().resolve("photo.jpg");
    assertEquals(1, run(DumpCocoCommand::run, "--parquet", jpeg, "--output_root", root));
    assertTrue(err.startsWith("error: " + jpeg + ": is no parquet file"), err);
  }

  @Test
  void aFolderOfCocoGivesTheSame() throws IOException {
    save("val2014/x.png", 1, false);
    Path captions = folder.resolve("captions.json");
    Files.writeString(
        captions,
        """
        {"images": [{"id": 4, "file_name": "x.png"}],
         "annotations": [{"image_id": 4, "caption": "one"}]}
        """);
    Path root = folder.resolve("coco");
    Object[] args = {"--captions", captions, "--images", folder, "--output_root", root};
    assertEquals(0, run(DumpCocoCommand::run, args), err);
    assertEquals(
        ImageFiles.read(folder.resolve("val2014/x.png")),
        ImageFiles.read(root.resolve("images/0000.png")));
    Files.delete(folder.resolve("val2014/x.png"));
    assertEquals(1, run(DumpCocoCommand::run, args));
    assertEquals("error: " + folder.resolve("x.png") + ": no such file", err.strip());
  }

  // --- export_html ---

  @Test
  void aPageShowsFoldersSideBySide() throws IOException {
    save("one/0000.png", 0, false);
    save("two #%/0000.png", 0, true);
    save("two #%/0001.png", 1, true);
    Path captions = folder.resolve("prompts.json");
    Files.writeString(captions, "[\"<script>alert('x')</script> & \\\"é\\\"\", \"second\"]");
    Path page = folder.resolve("pages").resolve("index.html");
    Files.createDirectories(page.getParent());
    int status =
        run(
            ExportHtmlCommand::run,
            "--input_roots",
            folder.resolve("one"),
            folder.resolve("two #%"),
            "--names",
            "a<b",
            "two",
            "--captions",
            captions,
            "--output_path",
            page);
    assertEquals(0, status, err);
    String html = Files.readString(page);
    assertFalse(html.contains("<script"), html);
    assertTrue(
        html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;é"), html);
    assertTrue(html.contains("<th>a&lt;b</th><th>two</th>"), html);
    assertTrue(html.contains(" src=\"../two%20%23%25/0001.png\""), html);
    assertEquals(3, html.split("loading=\"lazy\"", -1).length - 1);
    assertEquals(1, html.split("class=\"none\">none", -1).length - 1);
  }
}
