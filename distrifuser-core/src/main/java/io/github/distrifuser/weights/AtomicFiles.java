package io.github.distrifuser.weights;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

/** Files that are there whole or not at all. */
public final class AtomicFiles {
  /** Temporary files of writes under way; a JVM that is told to end meanwhile deletes them. */
  private static final Set<Path> UNDER_WAY = ConcurrentHashMap.newKeySet();

  static {
    Thread hook = new Thread(AtomicFiles::deleteUnderWay, "distrifuser-temporary-files");
    try {
      Runtime.getRuntime().addShutdownHook(hook);
    } catch (IllegalStateException e) {
      hook.setName("never run: the JVM is ending already");
    }
  }

  private AtomicFiles() {}

  private static void deleteUnderWay() {
    for (Path p : UNDER_WAY) {
      try {
        Files.deleteIfExists(p);
      } catch (IOException e) {
        System.err.println(p + " cannot be deleted: " + reason(e));
      }
    }
  }

  /** What is written. */
  @FunctionalInterface
  public interface Body {
    void writeTo(WritableByteChannel out) throws IOException;
  }

  /**
   * Writes a file, or leaves what was there untouched: a temporary file beside it is written, then
   * moved over it. The temporary file is gone after a failure.
   *
   * @throws IOException with a message that says why, and does not name the file
   */
  public static void write(Path file, Body body) throws IOException {
    Path target = file.toAbsolutePath();
    if (Files.isDirectory(target)) {
      throw new IOException("cannot be written: it is a directory");
    }
    Path temporary = target.resolveSibling("." + target.getFileName() + "." + UUID.randomUUID());
    UNDER_WAY.add(temporary);
    try {
      try {
        try (FileChannel out =
            FileChannel.open(temporary, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)) {
          body.writeTo(out);
          out.force(true);
        }
        move(temporary, target);
      } finally {
        Files.deleteIfExists(temporary);
        UNDER_WAY.remove(temporary);
      }
    } catch (IOException e) {
      throw new IOException("cannot be written: " + reason(e), e);
    }
  }

  private static String reason(IOException e) {
    if (e instanceof NoSuchFileException) {
      return "no such folder";
    }
    if (e instanceof FileAlreadyExistsException) {
      return "something is in its place";
    }
    if (e instanceof FileSystemException f && f.getReason() != null) {
      return f.getReason();
    }
    return e.getClass().getSimpleName() + (e.getMessage() == null ? "" : " " + e.getMessage());
  }

  private static void move(Path from, Path to) throws IOException {
    try {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    } catch (AtomicMoveNotSupportedException e) {
      Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
    }
  }
}
