package io.github.distrifuser.selftest.bundle;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/** Copies jars and folders of classes into jars of what {@link BundleRules} takes. */
final class Jars {
  private Jars() {}

  /** Copies one; nothing is written where nothing of it is taken. */
  static void copy(Path from, Path to) throws IOException {
    int taken = 0;
    try (OutputStream file = Files.newOutputStream(to);
        ZipOutputStream out = new ZipOutputStream(file)) {
      out.setLevel(Deflater.BEST_COMPRESSION);
      taken = Files.isDirectory(from) ? folder(from, out) : jar(from, out);
    }
    if (taken == 0) {
      Files.delete(to);
    }
  }

  private static int jar(Path from, ZipOutputStream out) throws IOException {
    int taken = 0;
    try (ZipFile zip = new ZipFile(from.toFile())) {
      for (Enumeration<? extends ZipEntry> all = zip.entries(); all.hasMoreElements(); ) {
        ZipEntry entry = all.nextElement();
        if (!entry.isDirectory() && BundleRules.taken(entry.getName())) {
          try (InputStream in = zip.getInputStream(entry)) {
            put(entry.getName(), in, out);
          }
          taken++;
        }
      }
    }
    return taken;
  }

  private static int folder(Path from, ZipOutputStream out) throws IOException {
    List<Path> files;
    try (Stream<Path> tree = Files.walk(from)) {
      files = tree.filter(Files::isRegularFile).sorted().toList();
    }
    int taken = 0;
    for (Path p : files) {
      String name = from.relativize(p).toString().replace('\\', '/');
      if (BundleRules.taken(name)) {
        try (InputStream in = Files.newInputStream(p)) {
          put(name, in, out);
        }
        taken++;
      }
    }
    return taken;
  }

  private static void put(String name, InputStream in, ZipOutputStream out) throws IOException {
    ZipEntry entry = new ZipEntry(name);
    entry.setTime(0); // the same input gives the same bytes
    out.putNextEntry(entry);
    in.transferTo(out);
    out.closeEntry();
  }
}
