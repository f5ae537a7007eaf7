package io.github.distrifuser.hub;

import io.github.distrifuser.weights.AtomicFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One repository's place in the hub's cache, as Python's huggingface_hub lays it out:
 *
 * <pre>
 * models--org--name/blobs/ETAG               contents, or a link to contents elsewhere
 * models--org--name/snapshots/COMMIT/PATH    a relative link to a blob
 * models--org--name/refs/REVISION            the commit that a branch or tag meant last
 * .locks/models--org--name/ETAG.lock         held by whoever downloads a blob
 * </pre>
 *
 * A blob that is a link is followed; what it points at is never changed or removed.
 */
final class HubCache {
  private static final Pattern ETAG = Pattern.compile("[\\w+=-][\\w.+=-]{0,199}");

  private final Path root;
  private final String folder;

  HubCache(Path root, String repo) {
    this.root = root;
    this.folder = "models--" + repo.replace("/", "--");
  }

  /** The repository's folder. */
  Path home() {
    return root.resolve(folder);
  }

  Path blob(String etag) {
    if (!ETAG.matcher(etag).matches()) {
      throw new HubException(
          HubException.Reason.BAD_ANSWER, home() + ": '" + etag + "' is no name of a blob");
    }
    return home().resolve("blobs").resolve(etag);
  }

  Path snapshot(String commit) {
    return home().resolve("snapshots").resolve(commit);
  }

  /** A file of a snapshot, whether or not it is there. */
  Path pointer(String commit, String file) {
    return snapshot(commit).resolve(file);
  }

  Path lock(String name) {
    return root.resolve(".locks").resolve(folder).resolve(name + ".lock");
  }

  /** The commit that a revision meant last, or null. */
  @Nullable String commitOf(HubId id) {
    if (id.isCommit()) {
      return id.revision();
    }
    Path ref = home().resolve("refs").resolve(id.revision());
    if (!Files.isRegularFile(ref)) {
      return null;
    }
    try {
      String commit = Files.readString(ref).strip();
      return HubId.isCommit(commit) ? commit : null;
    } catch (IOException e) {
      throw new UncheckedIOException(ref + ": cannot be read: " + e, e);
    }
  }

  /** Notes what a branch or tag means. */
  void setCommitOf(HubId id, String commit) throws IOException {
    if (id.isCommit() || commit.equals(commitOf(id))) {
      return;
    }
    Path ref = home().resolve("refs").resolve(id.revision());
    Files.createDirectories(ref.getParent());
    try {
      AtomicFiles.write(ref, commit.getBytes(StandardCharsets.US_ASCII));
    } catch (IOException e) {
      throw new IOException(ref + ": " + e.getMessage(), e);
    }
  }

  /** The files of a snapshot that are there, by their paths below it, with slashes. */
  Set<String> files(String commit) throws IOException {
    Path top = snapshot(commit);
    Set<String> out = new TreeSet<>();
    if (Files.isDirectory(top)) {
      try (Stream<Path> walk = Files.walk(top)) {
        walk.filter(Files::isRegularFile) // links to nowhere are not
            .forEach(p -> out.add(top.relativize(p).toString().replace('\\', '/')));
      }
    }
    return out;
  }

  /**
   * Makes a snapshot's file point at a blob; called with the blob's lock held.
   *
   * @param newBlob whether the blob was made just now, so that it may be moved where links cannot
   *     be made
   */
  void point(String commit, String file, String etag, boolean newBlob) throws IOException {
    Path pointer = pointer(commit, file);
    if (Files.exists(pointer)) {
      return;
    }
    Path blob = blob(etag);
    Files.createDirectories(pointer.getParent());
    Files.deleteIfExists(pointer); // a link to nowhere
    try {
      Files.createSymbolicLink(pointer, pointer.getParent().relativize(blob));
    } catch (FileAlreadyExistsException e) {
      if (!Files.exists(pointer)) {
        throw e;
      }
    } catch (UnsupportedOperationException | FileSystemException e) {
      // As huggingface_hub does: Windows without the right to make links.
      if (newBlob && !Files.isSymbolicLink(blob)) {
        Files.move(blob, pointer);
      } else {
        Files.copy(blob, pointer);
      }
    }
  }
}
