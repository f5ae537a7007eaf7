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
    add(all, "operators", quick, Operators.F32.class, Operators.F16.class, Operators.Bf16.class);
    add(all, "models", quick, Models.F32.class, Models.F16.class, Models.Bf16.class);
    add(all, "pipelines", quick, Pictures.F32.class, Pictures.F16.class, Pictures.Bf16.class);
    all.add(of("ranks", DType.F32, Ranks.class));
    add(all, "memory", quick, Memory.F32.class, Memory.F16.class, Memory.Bf16.class);
    for (int size : model.sizes(quick)) {
      all.add(new Section(BENCHMARK + size, null, DType.F16, size));
    }
    return all;
  }

  private static void add(
      List<Section> all, String kind, boolean quick, Class<?> f32, Class<?> f16, Class<?> bf16) {
    all.add(of(kind, DType.F32, f32));
    all.add(of(kind, DType.F16, f16));
    if (!quick) {
      all.add(of(kind, DType.BF16, bf16));
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
