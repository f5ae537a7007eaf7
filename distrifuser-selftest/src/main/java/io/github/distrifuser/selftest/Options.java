package io.github.distrifuser.selftest;

import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The command line of gpu-selftest. */
@Command(
    name = "gpu-selftest",
    description =
        "Checks an NVIDIA GPU: reference cases, memory, speed. Exit status: 0 all is well, 1"
            + " something failed, 2 there is no usable GPU or the command line is wrong.")
final class Options {
  @Option(
      names = "--quick",
      description = "small cases in float16 and float32, and one size in the benchmark")
  boolean quick;

  @Option(
      names = "--report",
      description =
          "the report, as JSON (default: gpu-selftest.json); its text is put beside it, as .txt")
  Path report = Path.of("gpu-selftest.json");

  @Option(
      names = "--only",
      split = ",",
      description =
          "sections whose names begin so: operators, models, pipelines, ranks, memory, benchmark,"
              + " or longer ones, such as models_float16")
  List<String> only = List.of();

  @Option(
      names = {"--benchmark_model", "--benchmark-model"},
      description =
          "sdxl (default), or tiny, which shows that the benchmark runs and measures nothing")
  BenchmarkModel benchmarkModel = BenchmarkModel.sdxl;

  @Option(
      names = {"--silence_s", "--silence-s"},
      description = "seconds without an answer after which a section is ended (900)")
  int silence = 900;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "print this")
  boolean help;
}
