package io.github.distrifuser.cpu;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.Winograd;
import io.github.distrifuser.tensor.DType;
import java.util.Collection;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.Options;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/**
 * Milliseconds of each operator, with what it reaches of the machine's measured peak: its matrix
 * product for operators that multiply, its copy for those that read and write. {@link #main} takes
 * JMH's options and ends with the table of docs/PERFORMANCE.md.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 1, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class OperatorBenchmark {
  @Param OperatorCase operator;

  @Param("F32")
  DType dtype;

  @Param("AUTO")
  Winograd winograd;

  private Backend backend;
  private Runnable call;

  @Setup
  public void open() {
    backend = new OneDnnBackendProvider().create(new BackendOptions(dtype, 0, 0, winograd));
    call = operator.on(backend);
  }

  @TearDown
  public void close() {
    backend.close();
  }

  @Benchmark
  public void run() {
    call.run();
  }

  public static void main(String[] args) throws RunnerException, CommandLineOptionException {
    Options options =
        new OptionsBuilder()
            .parent(new CommandLineOptions(args))
            .include(OperatorBenchmark.class.getName())
            .build();
    Collection<RunResult> results = new Runner(options).run();
    double product = best(results, OperatorCase.PEAK_MATRIX_PRODUCT);
    double copy = best(results, OperatorCase.PEAK_COPY);
    System.out.println("\n| operator | ms | GFLOP/s or GB/s | of the peak |\n|---|---|---|---|");
    for (RunResult r : results) {
      OperatorCase c = OperatorCase.valueOf(r.getParams().getParam("operator"));
      double ms = r.getPrimaryResult().getScore();
      double rate = rate(c, r);
      double peak = c.operations > 0 ? product : copy;
      System.out.printf(
          Locale.ROOT,
          "| %s | %.2f | %.0f %s | %s |%n",
          c.label,
          ms,
          rate,
          c.operations > 0 ? "GFLOP/s" : "GB/s",
          Double.isNaN(peak) ? "" : String.format(Locale.ROOT, "%.0f %%", 100 * rate / peak));
    }
  }

  /** The peak's rate, or NaN where it was left out of this run. */
  private static double best(Collection<RunResult> results, OperatorCase peak) {
    return results.stream()
        .filter(r -> r.getParams().getParam("operator").equals(peak.name()))
        .mapToDouble(r -> rate(peak, r))
        .max()
        .orElse(Double.NaN);
  }

  private static double rate(OperatorCase c, RunResult r) {
    double bytes = c.bytes * DType.valueOf(r.getParams().getParam("dtype")).bytes() / Float.BYTES;
    return (c.operations > 0 ? c.operations : bytes) / r.getPrimaryResult().getScore() * 1e-6;
  }
}
