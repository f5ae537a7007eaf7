package io.github.distrifuser.cuda.kernels;

import io.github.distrifuser.tensor.DType;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** All kernels, by name. */
public final class KernelLibrary {
  private static final List<String> TYPED =
      List.of("norm", "pointwise", "layout", "noise", "attention");
  private static final List<String> UNTYPED = List.of("untyped");

  private static final Map<String, Kernel> KERNELS = read();

  private KernelLibrary() {}

  private static Map<String, Kernel> read() {
    Map<String, Kernel> all = new LinkedHashMap<>();
    for (DType dtype : List.of(DType.F32, DType.F16, DType.BF16)) {
      for (KernelSource source : sources(dtype)) {
        for (Kernel kernel : Signatures.of(source)) {
          Kernel other = all.putIfAbsent(kernel.name(), kernel);
          if (other != null && !other.source().equals(source)) {
            throw new IllegalStateException(
                kernel.name() + " is in " + source + " and in " + other.source());
          }
        }
      }
    }
    return Collections.unmodifiableMap(all);
  }

  /** The modules that a backend of this type of activations loads. */
  public static List<KernelSource> sources(DType dtype) {
    List<KernelSource> sources = new ArrayList<>();
    for (String file : TYPED) {
      sources.add(new KernelSource(file, dtype));
    }
    for (String file : UNTYPED) {
      sources.add(new KernelSource(file, null));
    }
    return sources;
  }

  /** All kernels of all types. */
  public static Collection<Kernel> kernels() {
    return KERNELS.values();
  }

  /** The kernels of a module. */
  public static List<Kernel> kernels(KernelSource source) {
    return KERNELS.values().stream().filter(k -> k.source().equals(source)).toList();
  }

  /**
   * A kernel by its full name.
   *
   * @throws IllegalArgumentException if there is none
   */
  public static Kernel get(String name) {
    Kernel kernel = KERNELS.get(name);
    if (kernel == null) {
      throw new IllegalArgumentException(
          "there is no kernel " + name + ": there are " + KERNELS.keySet());
    }
    return kernel;
  }

  /**
   * A kernel for a type of activations.
   *
   * @param name without the type's suffix
   * @param dtype null for kernels that know nothing of it
   */
  public static Kernel get(String name, @Nullable DType dtype) {
    return get(name + new KernelSource("", dtype).suffix());
  }
}
