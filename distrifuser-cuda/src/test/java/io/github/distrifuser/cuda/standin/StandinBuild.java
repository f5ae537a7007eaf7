package io.github.distrifuser.cuda.standin;

import io.github.distrifuser.cuda.NativeBuild;
import io.github.distrifuser.cuda.NativeBuild.Unit;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Builds libraries under the names of CUDA's, which compute on the CPU: src/test/cpp/standin says
 * how. Each has every symbol that JavaCPP's bindings import from it; those that the sources don't
 * define return a status that says "not supported".
 */
final class StandinBuild {
  /** Where JavaCPP is told to look: the module's pom says so. */
  static final Path FOLDER = Path.of("target", "standin").toAbsolutePath();

  private static final Path SOURCES = NativeBuild.sources().resolve("standin");
  private static final Path WORK = Path.of("target", "native").toAbsolutePath();
  private static final List<String> DEFAULTS =
      List.of("-x", "c", "-O1", "-fPIC", "-w", "-fno-builtin");
  private static final int NO_DEVICE = 100;
  static final String CORE = "libdistrifuser_standin.so";

  /** The last one's initialisation calls the others. */
  private static final List<String> CORE_SOURCES =
      List.of(
          "capture",
          "clock",
          "device",
          "kernels",
          "math",
          "memory",
          "schedule",
          "streams",
          "environment");

  private StandinBuild() {}

  /**
   * A library.
   *
   * @param name its soname
   * @param bindings JavaCPP's library that imports from it
   * @param versioned whether imports carry its name as their version
   * @param prefix of the imports, where they have no version
   * @param status what undefined functions return
   * @param sources files of src/test/cpp/standin
   */
  private record Library(
      String name,
      String bindings,
      boolean versioned,
      String prefix,
      int status,
      List<String> sources) {}

  private static final List<Library> LIBRARIES =
      List.of(
          new Library("libcuda.so.1", "libjnicudart.so", false, "cu[A-Z]", 801, List.of("driver")),
          new Library("libcudart.so.13", "libjnicudart.so", true, "", 801, List.of("runtime")),
          new Library("libcublas.so.13", "libjnicublas.so", true, "", 15, List.of()),
          new Library("libcublasLt.so.13", "libjnicublas.so", true, "", 15, List.of("cublaslt")),
          new Library(
              "libcudnn_graph.so.9",
              "libjnicudnn.so",
              true,
              "",
              3000,
              List.of("cudnn", "cudnn_graph", "cudnn_run")),
          new Library("libcudnn_ops.so.9", "libjnicudnn.so", true, "", 3000, List.of()),
          new Library("libcudnn_cnn.so.9", "libjnicudnn.so", true, "", 3000, List.of()),
          new Library("libcudnn_adv.so.9", "libjnicudnn.so", true, "", 3000, List.of()),
          new Library(
              "libnccl.so.2",
              "libjninccl.so",
              false,
              "p?nccl[A-Z]",
              3,
              List.of("nccl", "nccl_messages")));

  /** Builds what is not built yet and puts it into {@link #FOLDER}. */
  static void build() {
    NativeBuild.locked(FOLDER, StandinBuild::buildAlone);
  }

  private static void buildAlone() throws IOException {
    Path core =
        NativeBuild.build(
            CORE,
            CORE_SOURCES.stream()
                .map(file -> new Unit(SOURCES.resolve(file + ".cpp"), options("default")))
                .toList(),
            List.of("-shared", "-Wl,-soname," + CORE, "-ldl"),
            inputs());
    place(core, CORE);
    for (Library l : LIBRARIES) {
      place(library(l, core), l.name);
    }
  }

  /** A driver's library that finds no device, with no other library behind it. */
  static Path driverWithoutDevice() {
    try {
      Library l = LIBRARIES.get(0);
      Files.createDirectories(WORK);
      Path defaults =
          defaults(new Library(l.name, l.bindings, false, l.prefix, NO_DEVICE, List.of()));
      List<Unit> units =
          List.of(new Unit(defaults, DEFAULTS), new Unit(SOURCES.resolve("nodevice.c"), DEFAULTS));
      return NativeBuild.build(
          l.name, units, List.of("-shared", "-Wl,-soname," + l.name), List.of());
    } catch (IOException e) {
      throw new UncheckedIOException("the library without device cannot be built", e);
    }
  }

  private static List<Path> inputs() {
    return List.of(SOURCES, NativeBuild.sources().resolve("emulation.hpp"));
  }

  private static List<String> options(String visibility) {
    return List.of(
        "-std=c++17",
        "-O3",
        "-march=native",
        "-fPIC",
        "-fvisibility=" + visibility,
        "-Wall",
        "-Wextra",
        "-Werror");
  }

  /** A file of functions that return the library's status. */
  private static Path defaults(Library l) throws IOException {
    StringBuilder text = new StringBuilder();
    for (String symbol : imports(l)) {
      text.append("__attribute__((weak)) int ").append(symbol);
      text.append("(void) { return ").append(l.status).append("; }\n");
    }
    Path file = WORK.resolve(l.name + "." + l.status + ".defaults.c");
    Files.writeString(file, text);
    return file;
  }

  private static Path library(Library l, Path core) throws IOException {
    List<Unit> units = new ArrayList<>();
    units.add(new Unit(defaults(l), DEFAULTS));
    l.sources.forEach(
        file -> units.add(new Unit(SOURCES.resolve(file + ".cpp"), options("hidden"))));
    List<String> link =
        new ArrayList<>(
            List.of(
                "-shared",
                "-Wl,-soname," + l.name,
                "-Wl,-rpath,$ORIGIN",
                "-L" + core.getParent(),
                "-l:" + CORE));
    if (l.versioned) {
      link.add("-Wl,--default-symver");
    }
    return NativeBuild.build(l.name, units, link, inputs());
  }

  /** The functions that the bindings import from a library. */
  private static List<String> imports(Library l) throws IOException {
    Path bindings = WORK.resolve("bindings").resolve(l.bindings);
    if (!Files.exists(bindings)) {
      Files.createDirectories(bindings.getParent());
      String resource = "org/bytedeco/cuda/linux-x86_64/" + l.bindings;
      try (InputStream in = StandinBuild.class.getClassLoader().getResourceAsStream(resource)) {
        if (in == null) {
          throw new IOException("no " + resource + ": -Pcuda-standin brings it");
        }
        Files.copy(in, bindings, StandardCopyOption.REPLACE_EXISTING);
      }
    }
    List<String> symbols = new ArrayList<>();
    String listing =
        NativeBuild.run(Map.of(), List.of("nm", "-D", "--undefined-only", bindings.toString()));
    for (String line : listing.split("\n")) {
      String symbol = line.trim().replaceFirst("^U ", "");
      String name = symbol.replaceFirst("@.*", "");
      boolean ours =
          l.versioned ? symbol.endsWith("@" + l.name) : symbol.matches(l.prefix + "[A-Za-z0-9_]*");
      if (ours) {
        symbols.add(name);
      }
    }
    if (symbols.size() < 20) {
      throw new IOException(l.bindings + " imports only " + symbols + " from " + l.name);
    }
    return symbols;
  }

  private static void place(Path made, String name) throws IOException {
    Path target = FOLDER.resolve(name);
    if (Files.exists(target) && Files.mismatch(target, made) < 0) {
      return;
    }
    Path beside = FOLDER.resolve(name + ".new");
    Files.copy(made, beside, StandardCopyOption.REPLACE_EXISTING);
    Files.move(beside, target, StandardCopyOption.ATOMIC_MOVE);
  }
}
