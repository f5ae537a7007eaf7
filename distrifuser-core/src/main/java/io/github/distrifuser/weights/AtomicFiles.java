package io.github.distrifuser.weights;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/** Files and folders that are there whole or not at all. */
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
        deleteTree(p);
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

  /** Writes a file of these bytes, as {@link #write(Path, Body)} does. */
  public static void write(Path file, byte[] bytes) throws IOException {
    write(
        file,
        out -> {
          ByteBuffer left = ByteBuffer.wrap(bytes);
          while (left.hasRemaining()) { // a disk that fills up takes a part first
            out.write(left);
          }
        });
  }

  /** What is written into a folder. */
  @FunctionalInterface
  public interface FolderBody {
    void writeTo(Path folder) throws IOException;
  }

  /**
   * Writes a folder: a temporary one beside it is filled, then moved into its place. The temporary
   * folder is gone after a failure. Folders above it are made.
   *
   * @param folder must not be there, or be empty
   * @throws IOException with a message that says why, and does not name the folder
   */
  public static void writeFolder(Path folder, FolderBody body) throws IOException {
    Path target = folder.toAbsolutePath();
    Path temporary = target.resolveSibling("." + target.getFileName() + "." + UUID.randomUUID());
    UNDER_WAY.add(temporary);
    try {
      try {
        if (Files.exists(target) && !isEmptyFolder(target)) {
          throw new FileAlreadyExistsException(target.toString());
        }
        Files.createDirectories(temporary);
        body.writeTo(temporary);
        force(temporary);
        Files.deleteIfExists(target);
        move(temporary, target);
      } finally {
        deleteTree(temporary);
        UNDER_WAY.remove(temporary);
      }
    } catch (IOException e) {
      throw new IOException("cannot be written: " + reason(e), e);
    }
  }

  private static boolean isEmptyFolder(Path p) throws IOException {
    if (!Files.isDirectory(p)) {
      return false;
    }
    try (Stream<Path> entries = Files.list(p)) {
      return entries.findAny().isEmpty();
    }
  }

  private static void force(Path folder) throws IOException {
    for (Path p : tree(folder)) {
      if (Files.isRegularFile(p)) {
        try (FileChannel c = FileChannel.open(p, StandardOpenOption.WRITE)) {
          c.force(true);
        }
      }
    }
  }

  private static void deleteTree(Path top) throws IOException {
    if (Files.exists(top, LinkOption.NOFOLLOW_LINKS)) {
      List<Path> all = tree(top);
      Collections.reverse(all);
      for (Path p : all) {
        Files.deleteIfExists(p);
      }
    }
  }

  /** A folder and what is in it, folders before their content. */
  private static List<Path> tree(Path top) throws IOException {
    try (Stream<Path> walk = Files.walk(top)) {
      return new ArrayList<>(walk.toList());
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
