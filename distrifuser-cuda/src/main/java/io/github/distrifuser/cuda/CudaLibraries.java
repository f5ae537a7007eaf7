package io.github.distrifuser.cuda;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Where CUDA's libraries are. Looked for in this order: the folders of the system property {@code
 * distrifuser.cuda.libraries}, those of the environment variable {@code
 * DISTRIFUSER_CUDA_LIBRARIES}, java.library.path, LD_LIBRARY_PATH, CUDA_HOME and CUDA_PATH,
 * NVIDIA's wheels in the Python environments at hand (VIRTUAL_ENV, CONDA_PREFIX, ~/.local,
 * /usr/local, /usr), /usr/local/cuda, and the system's folders.
 *
 * <p>Reads folders only; loads nothing.
 */
final class CudaLibraries {
  static final String PROPERTY = "distrifuser.cuda.libraries";
  static final String VARIABLE = "DISTRIFUSER_CUDA_LIBRARIES";

  /** The driver's library. */
  static final String DRIVER = "libcuda.so.1";

  /** A library that the user installs. */
  record Wanted(String file, String of) {}

  /** In the order in which they are loaded. */
  static final List<Wanted> WANTED =
      List.of(
          new Wanted("libcublasLt.so.13", "cuBLAS 13"),
          new Wanted("libcublas.so.13", "cuBLAS 13"),
          new Wanted("libcudnn_graph.so.9", "cuDNN 9"),
          new Wanted("libcudnn_ops.so.9", "cuDNN 9"),
          new Wanted("libcudnn_cnn.so.9", "cuDNN 9"),
          new Wanted("libcudnn_adv.so.9", "cuDNN 9"));

  static final String NVRTC = "libnvrtc.so.13";

  /** Libraries that come with the jars as a rule, and else are looked for here. */
  static final List<Wanted> PACKAGED =
      List.of(new Wanted("libcudart.so.13", "CUDA's runtime 13"), new Wanted(NVRTC, "NVRTC 13"));

  /** Several ranks need it, each of which has a GPU of its own. */
  static final Wanted NCCL = new Wanted("libnccl.so.2", "NCCL 2");

  private final List<Path> folders;
  private final Path linkerCache;

  /**
   * @param root "/", or another folder for tests
   */
  CudaLibraries(Map<String, String> environment, Map<String, String> properties, Path root) {
    Set<Path> all = new LinkedHashSet<>();
    paths(all, properties.get(PROPERTY));
    paths(all, environment.get(VARIABLE));
    paths(all, properties.get("java.library.path"));
    paths(all, environment.get("LD_LIBRARY_PATH"));
    List<Path> toolkits = new ArrayList<>();
    for (String name : List.of("CUDA_HOME", "CUDA_PATH")) {
      toolkits.addAll(folder(environment.get(name)));
    }
    toolkits.add(root.resolve("usr/local/cuda"));
    toolkits.forEach(t -> toolkit(all, t));
    List<Path> pythons = new ArrayList<>();
    for (String name : List.of("VIRTUAL_ENV", "CONDA_PREFIX")) {
      pythons.addAll(folder(environment.get(name)));
    }
    folder(properties.get("user.home")).forEach(home -> pythons.add(home.resolve(".local")));
    pythons.add(root.resolve("usr/local"));
    pythons.add(root.resolve("usr"));
    pythons.forEach(p -> wheels(all, p));
    for (String system :
        List.of(
            "usr/lib/x86_64-linux-gnu",
            "usr/lib/aarch64-linux-gnu",
            "usr/lib64",
            "usr/lib",
            "usr/lib/wsl/lib",
            "usr/local/nvidia/lib64",
            "usr/local/lib")) {
      all.add(root.resolve(system));
    }
    folders = List.copyOf(all);
    linkerCache = root.resolve("etc/ld.so.cache");
  }

  /** This machine's. */
  static CudaLibraries here() {
    Map<String, String> properties = new java.util.HashMap<>();
    for (String name : List.of(PROPERTY, "java.library.path", "user.home")) {
      String value = System.getProperty(name);
      if (value != null) {
        properties.put(name, value);
      }
    }
    return new CudaLibraries(System.getenv(), properties, Path.of("/"));
  }

  private static void paths(Set<Path> to, @Nullable String list) {
    if (list != null) {
      for (String one : list.split(File.pathSeparator)) {
        to.addAll(folder(one));
      }
    }
  }

  private static List<Path> folder(@Nullable String name) {
    return name == null || name.isBlank() ? List.of() : List.of(Path.of(name));
  }

  private static void toolkit(Set<Path> to, Path home) {
    for (String lib :
        List.of("lib64", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib", "lib")) {
      to.add(home.resolve(lib));
    }
  }

  /** lib/python3.x/site-packages/nvidia/{cu13,cudnn,...}/lib, and conda's own lib. */
  private static void wheels(Set<Path> to, Path environment) {
    to.add(environment.resolve("lib"));
    List<Path> versions = new ArrayList<>(children(environment.resolve("lib"), "python3"));
    for (Path version : versions) {
      for (String packages : List.of("site-packages", "dist-packages")) {
        for (Path part : children(version.resolve(packages).resolve("nvidia"), "")) {
          to.add(part.resolve("lib"));
        }
      }
    }
  }

  private static List<Path> children(Path folder, String prefix) {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> all = Files.list(folder)) {
      return all.filter(p -> p.getFileName().toString().startsWith(prefix)).sorted().toList();
    } catch (IOException | UncheckedIOException e) {
      return List.of(); // a folder that cannot be read holds nothing for us
    }
  }

  /** The folders, first to last. */
  List<Path> folders() {
    return folders;
  }

  /** The first folder's file of this name, or null. */
  @Nullable Path find(String file) {
    for (Path folder : folders) {
      Path p = folder.resolve(file);
      if (Files.exists(p)) {
        return p.toAbsolutePath();
      }
    }
    return null;
  }

  /**
   * NVRTC's second library, which it opens by name and does not look for beside itself; none where
   * NVRTC is not in our folders.
   */
  List<Path> nvrtcBuiltins() {
    Path nvrtc = find(NVRTC);
    Path folder = nvrtc == null ? null : nvrtc.getParent();
    return folder == null ? List.of() : children(folder, "libnvrtc-builtins.so.13");
  }

  /** Null where the driver's library is here; else what to tell the user. */
  @Nullable String missingDriver() {
    if (find(DRIVER) != null || linkerKnows(DRIVER)) {
      return null;
    }
    return "NVIDIA's driver is not installed: there is no " + DRIVER;
  }

  /** Whether the system's linker has the library in its cache. */
  private boolean linkerKnows(String file) {
    try {
      return new String(Files.readAllBytes(linkerCache), StandardCharsets.ISO_8859_1)
          .contains("/" + file + "\0");
    } catch (IOException e) {
      return false; // there is none on some systems
    }
  }

  /** Null where all libraries are here; else the first that is not, and what is there instead. */
  @Nullable String missing() {
    return WANTED.stream().map(this::missing).filter(m -> m != null).findFirst().orElse(null);
  }

  /** Null where a library is here; else what to tell the user. */
  @Nullable String missing(Wanted w) {
    if (find(w.file) != null || linkerKnows(w.file)) {
      return null;
    }
    List<Path> others = others(w.file);
    return w.of
        + " is needed and "
        + w.file
        + " is missing: "
        + (others.isEmpty() ? "no version of it was found" : "found only " + others)
        + "; install it or name its folder with "
        + VARIABLE;
  }

  /** Other versions of a library. */
  private List<Path> others(String file) {
    String stem = file.substring(0, file.indexOf(".so") + 3);
    List<Path> found = new ArrayList<>();
    for (Path folder : folders) {
      found.addAll(children(folder, stem));
    }
    return found;
  }
}
