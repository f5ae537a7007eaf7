package io.github.distrifuser.cuda.kernels;

import io.github.distrifuser.tensor.DType;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * One module of kernels: a source file, compiled for one type of activations. The file's name is
 * that of a resource beside this class; the type is put in by two macros, T and KERNEL_NAME, which
 * gives the kernels their suffix.
 *
 * @param file name without {@code .cu}
 * @param dtype F32, F16 or BF16; null for kernels that know nothing of it, which have no suffix
 */
public record KernelSource(String file, @Nullable DType dtype) {
  private static final List<String> PARTS = List.of("device.cuh", "common.cuh");

  public KernelSource {
    if (dtype != null && !dtype.isFloat()) {
      throw new IllegalArgumentException("kernels compute in F32, F16 or BF16, not " + dtype);
    }
  }

  /** The files of resources in the order in which they are put together. */
  static List<String> parts(String file) {
    return List.of(PARTS.get(0), PARTS.get(1), file + ".cu");
  }

  /** What kernels' names end with: {@code _f32}, {@code _f16}, {@code _bf16} or nothing. */
  public String suffix() {
    return dtype == null ? "" : "_" + dtype.name().toLowerCase(Locale.ROOT);
  }

  /** Name of the module, for messages: {@code norm_f16}. */
  public String name() {
    return file + suffix();
  }

  /** The definitions that put the type in. */
  String definitions() {
    if (dtype == null) {
      return "#define KERNEL_NAME(name) name\n";
    }
    String type =
        switch (dtype) {
          case F32 -> "float";
          case F16 -> "Half";
          default -> "BFloat";
        };
    return "#define T " + type + "\n#define KERNEL_NAME(name) name##" + suffix() + "\n";
  }

  /** The whole text, as the compiler gets it; messages give the lines of the files. */
  public String text() {
    StringBuilder all = new StringBuilder(definitions());
    for (String part : parts(file)) {
      all.append("#line 1 \"").append(part).append("\"\n").append(resource(part));
    }
    return all.toString();
  }

  static String resource(String name) {
    try (InputStream in = KernelSource.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalArgumentException("there is no kernel source " + name);
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("kernel source " + name + " cannot be read", e);
    }
  }

  @Override
  public String toString() {
    return name();
  }
}
