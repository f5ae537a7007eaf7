package io.github.distrifuser.selftest;

import io.github.distrifuser.cuda.CudaBackendProvider;
import io.github.distrifuser.cuda.CudaEnvironment;
import io.github.distrifuser.tensor.DType;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The main of a section's process. Arguments: the section's name, whether the self-test is quick,
 * the benchmark's model, the file for {@link Events}, and the file of cases that are done.
 */
public final class Child {
  /** The section that looks what there is. */
  static final String ENVIRONMENT = "environment";

  /** Its status where there is no usable device. */
  static final int NO_DEVICE = 2;

  private static boolean quick;
  private static @Nullable DType dtype;

  private Child() {}

  /** Whether this process runs the small cases only. */
  static boolean quick() {
    return quick;
  }

  /** The section's type of activations. */
  static DType dtype() {
    return Objects.requireNonNull(dtype, "no section runs in this process");
  }

  public static void main(String[] args) {
    int status = 1;
    try {
      status = run(args);
    } catch (RuntimeException | Error e) {
      e.printStackTrace();
    }
    System.exit(status);
  }

  private static int run(String[] args) {
    quick = Boolean.parseBoolean(args[1]);
    BenchmarkModel model = BenchmarkModel.valueOf(args[2]);
    Events events = new Events(Path.of(args[3]));
    Pending.read(Path.of(args[4]));
    if (args[0].equals(ENVIRONMENT)) {
      return environment(events);
    }
    Section section =
        Section.all(quick, model).stream()
            .filter(s -> s.name().equals(args[0]))
            .findFirst()
            .orElseThrow(() -> new IllegalArgumentException("no section " + args[0]));
    dtype = section.dtype();
    if (section.suite() == null) {
      events.write(Events.RESULT, Benchmark.run(model, section.size()));
    } else {
      SuiteRunner.run(section.name(), section.suite(), events);
    }
    return 0;
  }

  private static int environment(Events events) {
    String reason = new CudaBackendProvider().unavailableReason();
    if (reason == null) {
      try {
        events.write(Events.RESULT, CudaEnvironment.of(Gpu.DEVICE));
        return 0;
      } catch (RuntimeException e) {
        reason = String.valueOf(e.getMessage());
      }
    }
    events.write(Events.RESULT, Map.of("unavailable", reason));
    return NO_DEVICE;
  }
}
