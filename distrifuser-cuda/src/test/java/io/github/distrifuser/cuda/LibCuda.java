package io.github.distrifuser.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The driver's library, which JavaCPP's bindings cannot be loaded without. */
public final class LibCuda {
  private LibCuda() {}

  /**
   * Loads an empty library under the driver's name, for tests that call nothing of it. Symbols are
   * bound when they are called.
   */
  public static void loadEmpty() {
    Path source = Path.of("target", "native", "empty.c").toAbsolutePath();
    try {
      Files.createDirectories(source.getParent());
      Files.writeString(source, "");
    } catch (IOException e) {
      throw new UncheckedIOException("the empty library cannot be written", e);
    }
    String name = "libcuda.so.1";
    Path library =
        NativeBuild.build(
            name,
            List.of(new NativeBuild.Unit(source, List.of("-fPIC"))),
            List.of("-shared", "-Wl,-soname," + name),
            List.of());
    System.load(library.toString());
  }
}
