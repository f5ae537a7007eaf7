package io.github.distrifuser.selftest;

import io.github.distrifuser.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A part of the self-test that has a process of its own.
 *
 * @param name as {@code --only} takes it
 * @param suite JUnit's class, or null for a benchmark
 * @param dtype type of activations
 * @param size side of the benchmark's picture in pixels, or 0
 */
record Section(String name, @Nullable Class<?> suite, DType dtype, int size) {
  static final String BENCHMARK = "benchmark_";

  /** All sections, in the order in which they run. */
  static List<Section> all(boolean quick, BenchmarkModel model) {
    List<Section> all = new ArrayList<>();
    add(all, "operators", quick, Operators.class);
    add(all, "models", quick, Models.class);
    add(all, "pipelines", quick, Pictures.class);
    all.add(of("ranks", DType.F32, Ranks.class));
    add(all, "memory", quick, Memory.class);
    for (int size : model.sizes(quick)) {
      all.add(new Section(BENCHMARK + size, null, DType.F16, size));
    }
    return all;
  }

  private static void add(List<Section> all, String kind, boolean quick, Class<?> suite) {
    all.add(of(kind, DType.F32, suite));
    all.add(of(kind, DType.F16, suite));
    if (!quick) {
      all.add(of(kind, DType.BF16, suite));
    }
  }

  private static Section of(String kind, DType dtype, Class<?> suite) {
    String type = dtype.torchName().toLowerCase(Locale.ROOT);
    return new Section(kind + "_" + type, suite, dtype, 0);
  }

  /** Whether it runs under {@code --only}. */
  boolean chosen(List<String> only) {
    return only.isEmpty() || only.stream().anyMatch(name::startsWith);
  }
}
