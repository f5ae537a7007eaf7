package io.github.distrifuser.examples;

import io.github.distrifuser.pipelines.DistriPipeline;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;

/** Makes the pipelines' classes look like those of another version. */
final class OtherVersion {
  private OtherVersion() {}

  /** A jar of the classes that are on this JVM's class path, with another version. */
  static Path jar(Path jar, String version) throws IOException {
    Manifest manifest = new Manifest();
    manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
    manifest.getMainAttributes().put(Attributes.Name.IMPLEMENTATION_VERSION, version);
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream out = new JarOutputStream(file, manifest)) {
      copyClasses(out);
    }
    return jar;
  }

  private static void copyClasses(JarOutputStream out) throws IOException {
    Path place;
    try {
      URI uri = DistriPipeline.class.getProtectionDomain().getCodeSource().getLocation().toURI();
      place = Path.of(uri);
    } catch (URISyntaxException e) {
      throw new IOException(e);
    }
    if (Files.isDirectory(place)) {
      copyClasses(place, out);
      return;
    }
    try (FileSystem zip = FileSystems.newFileSystem(place)) {
      copyClasses(zip.getPath("/"), out);
    }
  }

  private static void copyClasses(Path root, JarOutputStream out) throws IOException {
    String folder = DistriPipeline.class.getPackageName().replace('.', '/');
    List<Path> classes;
    try (Stream<Path> all = Files.list(root.resolve(folder))) {
      classes = all.filter(p -> p.toString().endsWith(".class")).toList();
    }
    for (Path c : classes) {
      out.putNextEntry(new JarEntry(folder + "/" + c.getFileName()));
      try (InputStream in = Files.newInputStream(c)) {
        in.transferTo(out);
      }
      out.closeEntry();
    }
  }
}
