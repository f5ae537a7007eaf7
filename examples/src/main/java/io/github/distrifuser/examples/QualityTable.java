package io.github.distrifuser.examples;

import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.metrics.Psnr;
import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.parallel.Parallelism;
import io.github.distrifuser.parallel.SplitScheme;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.pipelines.DistriPipeline;
import io.github.distrifuser.pipelines.GenerationRequest;
import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.ModelSource;
import io.github.distrifuser.pipelines.Pipelines;
import io.github.distrifuser.progress.ProgressReporter;
import io.github.distrifuser.random.TorchGenerator;
import io.github.distrifuser.schedulers.SchedulerKind;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.DoubleSummaryStatistics;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * How near each mode's pictures are to one rank's, on the small model and twenty prompts, the whole
 * picture split among the ranks: prints the table of docs/QUALITY.md and writes its sheet.
 *
 * <p>Arguments: the sheet's file, and what number of ranks to run (default 2 and 4).
 */
public final class QualityTable {
  private static final int STEPS = 20;
  private static final int SHEET_RANKS = 4;
  private static final int SHEET_PROMPTS = 4;

  private QualityTable() {}

  public static void main(String[] args) throws IOException {
    Path sheet = Path.of(args.length > 0 ? args[0] : "quality.png");
    List<Integer> ranks = new ArrayList<>();
    for (int i = 1; i < args.length; i++) {
      ranks.add(Integer.parseInt(args[i]));
    }
    if (ranks.isEmpty()) {
      ranks.addAll(List.of(2, 4));
    }
    List<String> prompts = prompts();
    List<GeneratedImage> one = draw(DistriConfig.builder(), 1, prompts);
    List<List<GeneratedImage>> columns = new ArrayList<>(List.of(one));
    List<String> names = new ArrayList<>(List.of("one rank"));
    System.out.println("| ranks | mode | identical | PSNR of the others: mean | least | most |");
    System.out.println("|---|---|---|---|---|---|");
    for (int n : ranks) {
      for (Map.Entry<String, DistriConfig.Builder> mode : modes().entrySet()) {
        List<GeneratedImage> images = draw(mode.getValue(), n, prompts);
        if (n == SHEET_RANKS) {
          columns.add(images);
          names.add(mode.getKey());
        }
        row(n, mode.getKey(), one, images);
      }
    }
    sheet(columns).save(sheet);
    System.out.println();
    System.out.println(sheet + ", from left to right: " + String.join(", ", names));
  }

  private static void row(
      int ranks, String mode, List<GeneratedImage> one, List<GeneratedImage> images) {
    DoubleSummaryStatistics differing =
        IntStream.range(0, one.size())
            .mapToDouble(i -> Psnr.of(one.get(i), images.get(i)))
            .filter(Double::isFinite) // a picture without any difference has no ratio
            .summaryStatistics();
    long n = differing.getCount();
    System.out.printf(
        Locale.ROOT,
        "| %d | %s | %d | %s |%n",
        ranks,
        mode,
        one.size() - n,
        n == 0
            ? "| | "
            : String.format(
                Locale.ROOT,
                "%.1f | %.1f | %.1f",
                differing.getAverage(),
                differing.getMin(),
                differing.getMax()));
  }

  private static Map<String, DistriConfig.Builder> modes() {
    Map<String, DistriConfig.Builder> all = new LinkedHashMap<>();
    for (SyncMode m : SyncMode.values()) {
      all.put(m.optionName(), DistriConfig.builder().mode(m));
    }
    for (SplitScheme s : SplitScheme.values()) {
      all.put(
          "naive patch, " + s.optionName(),
          DistriConfig.builder().parallelism(Parallelism.NAIVE_PATCH).splitScheme(s));
    }
    return all;
  }

  private static List<GeneratedImage> draw(
      DistriConfig.Builder config, int ranks, List<String> prompts) {
    List<GeneratedImage> images = new ArrayList<>();
    LoadOptions options =
        LoadOptions.builder().localRanks(ranks).scheduler(SchedulerKind.EULER).build();
    try (DistriPipeline p =
        Pipelines.fromPretrained(config.splitBatch(false).build(), ModelSource.DEFAULT, options)) {
      p.setProgressBarConfig(ProgressReporter.Config.disable(true));
      for (int i = 0; i < prompts.size(); i++) {
        images.add(
            p.generate(
                    GenerationRequest.builder()
                        .prompt(prompts.get(i))
                        .height(p.defaultSize())
                        .width(p.defaultSize())
                        .numInferenceSteps(STEPS)
                        .guidanceScale(5.0)
                        .generator(new TorchGenerator(i))
                        .build())
                .images()
                .get(0));
      }
    }
    return images;
  }

  /** One prompt a row, one mode a column. */
  private static GeneratedImage sheet(List<List<GeneratedImage>> columns) {
    GeneratedImage first = columns.get(0).get(0);
    int h = first.height();
    int w = first.width();
    int width = w * columns.size();
    byte[] rgb = new byte[3 * h * SHEET_PROMPTS * width];
    for (int c = 0; c < columns.size(); c++) {
      for (int r = 0; r < SHEET_PROMPTS; r++) {
        byte[] from = columns.get(c).get(r).rgb();
        for (int y = 0; y < h; y++) {
          System.arraycopy(from, 3 * y * w, rgb, 3 * ((r * h + y) * width + c * w), 3 * w);
        }
      }
    }
    return new GeneratedImage(h * SHEET_PROMPTS, width, rgb);
  }

  private static List<String> prompts() throws IOException {
    try (BufferedReader in =
        new BufferedReader(
            new InputStreamReader(
                QualityTable.class.getResourceAsStream("prompts.txt"), StandardCharsets.UTF_8))) {
      return in.lines().toList();
    }
  }
}
