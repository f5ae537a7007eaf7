package io.github.distrifuser.selftest.bundle;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Set;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;

/**
 * Fills a folder with what the self-test needs: a Java runtime, the class path of this JVM without
 * what the self-test doesn't use, the reference cases, and the script that starts it. Arguments:
 * the folder, which must not exist, the script, the folder of the reference cases, and the license.
 */
public final class BundleMaker {
  /** What the self-test uses of Java; the bundle's test shows whether it is enough. */
  private static final List<String> MODULES =
      List.of(
          "java.base",
          "java.logging", // JUnit, JNA
          "java.management",
          "jdk.unsupported"); // sun.misc.Unsafe, for Netty

  /** Folders of cases that need no device. */
  private static final Set<String> WITHOUT_DEVICE =
      Set.of("metrics", "rng", "schedulers", "scheduler_options", "tokens");

  private BundleMaker() {}

  public static void main(String[] args) throws IOException {
    if (args.length != 4) {
      System.err.println("error: arguments: FOLDER SCRIPT CASES LICENSE");
      System.exit(2);
    }
    Path folder = Path.of(args[0]);
    Files.createDirectory(folder);
    runtime(folder.resolve("runtime"));
    Path lib = Files.createDirectory(folder.resolve("lib"));
    int number = 0;
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      Path from = Path.of(entry);
      if (!entry.isBlank() && Files.exists(from) && !BundleRules.leftOut(from)) {
        Jars.copy(from, lib.resolve("%02d-%s".formatted(number++, BundleRules.jarName(from))));
      }
    }
    Path cases = Path.of(args[2]);
    for (String part : List.of("models", "cases")) {
      copyTree(cases.resolve(part), folder.resolve("cases").resolve(part));
    }
    Files.copy(
        Path.of(args[1]), folder.resolve("gpu-selftest"), StandardCopyOption.COPY_ATTRIBUTES);
    Files.copy(Path.of(args[3]), folder.resolve("LICENSE"));
  }

  private static void runtime(Path folder) {
    ToolProvider jlink =
        ToolProvider.findFirst("jlink")
            .orElseThrow(
                () -> new IllegalStateException("this Java has no jlink: a JDK is needed"));
    int status =
        jlink.run(
            System.out,
            System.err,
            "--add-modules",
            String.join(",", MODULES),
            "--strip-debug",
            "--no-header-files",
            "--no-man-pages",
            "--compress=2",
            "--vm=server",
            "--output",
            folder.toString());
    if (status != 0) {
      throw new IllegalStateException("jlink ended with status " + status);
    }
  }

  private static boolean taken(Path p) {
    return !WITHOUT_DEVICE.contains(p.getFileName().toString())
        && !WITHOUT_DEVICE.contains(p.getParent().getFileName().toString());
  }

  private static void copyTree(Path from, Path to) throws IOException {
    try (Stream<Path> tree = Files.walk(from)) {
      for (Path p : tree.filter(BundleMaker::taken).sorted().toList()) {
        Path target = to.resolve(from.relativize(p).toString());
        if (Files.isDirectory(p)) {
          Files.createDirectories(target);
        } else {
          Files.copy(p, target);
        }
      }
    }
  }
}
