package io.github.distrifuser.cuda.kernels;

import io.github.distrifuser.cuda.NativeBuild;
import io.github.distrifuser.cuda.NativeBuild.Unit;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The kernels built for the CPU: src/test/cpp says how. */
public final class EmulatedKernels {
  private static final Path KERNELS =
      Path.of("src/main/resources/io/github/distrifuser/cuda/kernels").toAbsolutePath();
  private static final List<String> COMMON =
      List.of(
          "-std=c++17",
          "-fPIC",
          "-fvisibility=hidden",
          "-fno-strict-aliasing",
          "-Wall",
          "-Wextra",
          "-Werror",
          "-I" + NativeBuild.sources(),
          "-I" + KERNELS);
  private static final List<String> FAST = List.of("-O2", "-march=native");
  private static final List<String> CHECKED =
      List.of(
          "-O1",
          "-g",
          "-ffp-contract=off",
          "-fsanitize=address,undefined",
          "-fno-sanitize-recover=all",
          "-fno-omit-frame-pointer");

  private EmulatedKernels() {}

  /**
   * A shared library that exports {@code emu_launch}, {@code emu_failure} and {@code emu_threads}
   * (see emulation.cpp), optimised for this machine.
   */
  public static Path library() {
    return build("libdistrifuser_emulation.so", FAST, List.of(), List.of("-shared"));
  }

  /**
   * A program that runs kernels on cases from a file (see runner.cpp).
   *
   * @param checked under the address and undefined-behaviour sanitizers; else optimised
   */
  static Path runner(boolean checked) {
    List<String> options = checked ? CHECKED : FAST;
    List<String> link = checked ? List.of("-fsanitize=address,undefined") : List.of();
    return build(checked ? "checked" : "fast", options, List.of("runner.cpp"), link);
  }

  private static Path build(
      String name, List<String> options, List<String> more, List<String> link) {
    Path sources = NativeBuild.sources();
    List<String> all = new ArrayList<>(COMMON);
    all.addAll(options);
    List<Unit> units = new ArrayList<>();
    for (String type : List.of("F32", "F16", "BF16", "UNTYPED")) {
      List<String> typed = new ArrayList<>(all);
      typed.add("-DEMULATED_" + type);
      units.add(new Unit(sources.resolve("kernels.cpp"), typed));
    }
    units.add(new Unit(sources.resolve("emulation.cpp"), all));
    more.forEach(file -> units.add(new Unit(sources.resolve(file), all)));
    return NativeBuild.build(name, units, link, List.of(KERNELS, sources.resolve("emulation.hpp")));
  }
}
