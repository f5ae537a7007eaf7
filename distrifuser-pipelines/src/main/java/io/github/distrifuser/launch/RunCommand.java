package io.github.distrifuser.launch;

import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.pipelines.DistriPipeline;
import io.github.distrifuser.pipelines.GenerationRequest;
import io.github.distrifuser.pipelines.ImageSize;
import io.github.distrifuser.pipelines.ModelSource;
import io.github.distrifuser.pipelines.OutputType;
import io.github.distrifuser.pipelines.PipelineOutput;
import io.github.distrifuser.progress.ProgressReporter;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.NdArray;
import io.github.distrifuser.weights.SafetensorsFile;
import io.github.distrifuser.weights.SafetensorsWriter;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The original's run_sdxl.py and run_sd.py: draws a picture, or measures how long that takes. The
 * pipeline is the one that the model names.
 */
public final class RunCommand {
  /** What the small model was trained on. */
  private static final String LANDSCAPE =
      "a red house on the left, three pine trees and snowy purple mountains in the snow at dawn";

  private static final String ASTRONAUT =
      "Astronaut in a jungle, cold color palette, muted colors, detailed, 8k";

  private final RunOptions options;

  private RunCommand(RunOptions options) {
    this.options = options;
  }

  /**
   * Runs and ends the JVM with the exit status: 0 done, 2 the command line is wrong, 1 anything
   * else, after one line {@code error: ...} on standard error.
   */
  public static void main(String name, String[] args) {
    System.exit(run(name, args));
  }

  /**
   * Runs run_sdxl or run_sd.
   *
   * @param name for the usage text
   * @return the exit status
   */
  public static int run(String name, String[] args) {
    return run(name, args, o -> {});
  }

  /**
   * Runs the originals' example: the small model at its own size, 20 steps, guidance 5, written to
   * landscape.png; every option may be given.
   *
   * @param name for the usage text
   * @return the exit status
   */
  public static int runExample(String name, String[] args) {
    return run(
        name,
        args,
        o -> {
          o.numInferenceSteps = 20;
          o.guidanceScale = 5.0;
          o.outputName = "landscape";
        });
  }

  private static int run(String name, String[] args, Consumer<RunOptions> defaults) {
    RunOptions options = new RunOptions();
    defaults.accept(options);
    return CommandLineTool.run(name, options, args, o -> new RunCommand(o).run());
  }

  private void run() {
    checkTargets();
    PipelineRun.run(options, this::run);
  }

  private void run(DistriPipeline pipeline, double loadSeconds) {
    GenerationRequest request = request(pipeline);
    if (options.mode == RunOptions.Mode.BENCHMARK) {
      pipeline.setProgressBarConfig(ProgressReporter.Config.disable(true));
      benchmark(pipeline, request, loadSeconds);
    } else {
      generate(pipeline, request, loadSeconds);
    }
  }

  // --- modes ---

  private void generate(DistriPipeline pipeline, GenerationRequest request, double loadSeconds) {
    pipeline.setProgressBarConfig(ProgressReporter.Config.disable(pipeline.rank() != 0));
    long begin = System.nanoTime();
    PipelineOutput out = pipeline.generate(withGenerator(request));
    double seconds = (System.nanoTime() - begin) * 1e-9;
    PipelineRun.expectResults(pipeline);
    List<Path> files = pipeline.rank() == 0 ? save(out) : List.of();
    report(pipeline, out, loadSeconds, List.of(seconds), seconds);
    if (pipeline.rank() == 0) {
      int ranks = pipeline.worldSize();
      System.out.printf(
          Locale.ROOT,
          "%s: %d x %d, %d steps in %.2f s on %d %s%n",
          String.join(", ", files.stream().map(Path::toString).toList()),
          request.height(),
          request.width(),
          options.numInferenceSteps,
          seconds,
          ranks,
          ranks == 1 ? "rank" : "ranks");
    }
  }

  private void benchmark(DistriPipeline pipeline, GenerationRequest request, double loadSeconds) {
    for (int i = 0; i < options.warmupTimes; i++) {
      pipeline.generate(withGenerator(request));
    }
    List<Double> seconds = new ArrayList<>();
    PipelineOutput last = null;
    for (int i = 0; i < options.testTimes; i++) {
      long begin = System.nanoTime();
      last = pipeline.generate(withGenerator(request));
      seconds.add((System.nanoTime() - begin) * 1e-9);
    }
    if (last == null) {
      throw new IllegalStateException("--test_times must be positive");
    }
    double latency = latency(seconds, options.ignoreRatio);
    PipelineRun.expectResults(pipeline);
    if (pipeline.rank() == 0 && options.outputPath != null) {
      save(last);
    }
    report(pipeline, last, loadSeconds, seconds, latency);
    if (pipeline.rank() == 0) {
      System.out.printf(Locale.ROOT, "Latency: %.5f s%n", latency);
    }
  }

  /** The original's figure: the mean without the slowest and the fastest runs. */
  static double latency(List<Double> runs, double ignoreRatio) {
    int ignored = (int) (ignoreRatio * runs.size() / 2);
    return runs.stream()
        .sorted()
        .skip(ignored)
        .limit(runs.size() - 2L * ignored)
        .mapToDouble(Double::doubleValue)
        .average()
        .orElseThrow();
  }

  // --- the request ---

  private GenerationRequest request(DistriPipeline pipeline) {
    try {
      GenerationRequest.Builder b =
          options
              .requestBuilder(pipeline.defaultSize())
              .prompt(prompt())
              .denoisingEnd(options.denoisingEnd)
              .numImagesPerPrompt(options.numImagesPerPrompt)
              .outputType(options.outputType)
              .originalSize(pair(options.originalSize))
              .targetSize(pair(options.targetSize))
              .negativeOriginalSize(pair(options.negativeOriginalSize))
              .negativeTargetSize(pair(options.negativeTargetSize));
      if (options.prompt2 != null) {
        b.prompt2(options.prompt2);
      }
      ImageSize crops = pair(options.cropsCoordsTopLeft);
      if (crops != null) {
        b.cropsCoordsTopLeft(crops);
      }
      ImageSize negativeCrops = pair(options.negativeCropsCoordsTopLeft);
      if (negativeCrops != null) {
        b.negativeCropsCoordsTopLeft(negativeCrops);
      }
      if (options.latents != null) {
        b.latents(readLatents(options.latents));
      }
      return b.build();
    } catch (IllegalArgumentException e) {
      throw new CommandLineTool.UsageException(e);
    }
  }

  private String prompt() {
    if (options.prompt != null) {
      return options.prompt;
    }
    return options.model.equals(ModelSource.DEFAULT) ? LANDSCAPE : ASTRONAUT;
  }

  private static @Nullable ImageSize pair(@Nullable List<Integer> numbers) {
    return numbers == null ? null : new ImageSize(numbers.get(0), numbers.get(1));
  }

  /** Each run draws the same noise. */
  private GenerationRequest withGenerator(GenerationRequest request) {
    return request.toBuilder().generator(options.generator(options.seed)).build();
  }

  private static NdArray readLatents(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new IllegalArgumentException("--latents: " + file + ": no such file");
    }
    try (SafetensorsFile f = SafetensorsFile.open(file)) {
      WeightTensor t = f.get("latents");
      return new NdArray(t.toFloats(), t.shape());
    }
  }

  // --- results ---

  private Path target() {
    Path given = options.outputPath;
    if (given != null) {
      return given;
    }
    boolean picture = options.outputType == OutputType.IMAGE;
    return Path.of(options.outputName + (picture ? ".png" : ".safetensors"));
  }

  /** A folder that is not there is told before minutes are spent. */
  private void checkTargets() {
    boolean writes = options.mode == RunOptions.Mode.GENERATION || options.outputPath != null;
    Targets.file("--output_path", writes ? target() : null);
    Targets.file("--report", options.report);
    Targets.file("--trace", options.trace);
  }

  private List<Path> save(PipelineOutput out) {
    Path file = target();
    if (options.outputType == OutputType.LATENT) {
      NdArray latents = out.latents();
      new SafetensorsWriter()
          .add("latents", DType.F32, latents.shape(), latents.data())
          .write(file);
      return List.of(file);
    }
    List<Path> files = new ArrayList<>();
    List<GeneratedImage> images = out.images();
    for (int i = 0; i < images.size(); i++) {
      Path f = images.size() == 1 ? file : numbered(file, i);
      images.get(i).save(f);
      files.add(f);
    }
    return files;
  }

  /** {@code picture.png} becomes {@code picture_0.png}. */
  static Path numbered(Path file, int i) {
    String name = String.valueOf(file.getFileName());
    int dot = name.lastIndexOf('.');
    return file.resolveSibling(
        dot <= 0 ? name + "_" + i : name.substring(0, dot) + "_" + i + name.substring(dot));
  }

  private void report(
      DistriPipeline pipeline,
      PipelineOutput last,
      double loadSeconds,
      List<Double> runs,
      double latency) {
    if (options.report != null) {
      RunReports.write(options.report, pipeline, last.report(), loadSeconds, runs, latency);
    }
    if (options.trace != null) {
      RunTraces.write(options.trace, pipeline);
    }
  }
}
