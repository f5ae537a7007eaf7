package io.github.distrifuser.hub;

import io.github.distrifuser.hub.HubException.Reason;
import io.github.distrifuser.progress.ProgressReporter;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings one file into the cache: written beside, checked, renamed, linked into the snapshot, all
 * with the blob's lock held. After a cut it goes on where it was, in the same run by what has
 * arrived, in another by {@code ETAG.incomplete}; that only where the etag is a SHA-256, which
 * tells whether the pieces fit.
 */
final class BlobDownload {
  private static final Logger LOG = LoggerFactory.getLogger(BlobDownload.class);
  private static final int BUFFER = 1 << 18;

  private final HubId id;
  private final HubClient client;
  private final HubCache cache;
  private final StallWatch stalls;
  private final ProgressReporter progress;

  BlobDownload(
      HubId id, HubClient client, HubCache cache, StallWatch stalls, ProgressReporter progress) {
    this.id = id;
    this.client = client;
    this.cache = cache;
    this.stalls = stalls;
    this.progress = progress;
  }

  /** A file that cannot be written here: no use in asking the hub again. */
  private static final class LocalException extends IOException {
    private static final long serialVersionUID = 1L;

    LocalException(Path file, IOException cause) {
      super(file + ": cannot be written: " + reason(cause), cause);
    }

    private static String reason(IOException e) {
      return e instanceof FileSystemException f && f.getReason() != null
          ? f.getReason()
          : String.valueOf(e.getMessage());
    }
  }

  /**
   * Brings the file, unless it is there.
   *
   * @throws HubException where that fails; what the cache held is as it was
   */
  void run(FileMetadata meta) throws InterruptedException {
    Path blob = cache.blob(meta.etag());
    String what = id + ": " + meta.file();
    try (CacheLock lock = CacheLock.acquire(cache.lock(meta.etag()), what)) {
      boolean fresh = !isWhole(blob, meta);
      if (fresh) {
        bring(meta, blob);
      } else {
        progress.advance(Math.max(0, meta.size()));
      }
      cache.point(meta.commit(), meta.file(), meta.etag(), fresh);
      LOG.debug("{}: {}", what, lock);
    } catch (IOException e) {
      throw new HubException(Reason.CACHE, what + ": " + e.getMessage(), e);
    }
  }

  /** Bytes of a file that an earlier run has left. */
  long partial(FileMetadata meta) throws IOException {
    Path file = partialFile(meta);
    return meta.isSha256() && Files.isRegularFile(file) ? Files.size(file) : 0;
  }

  private Path partialFile(FileMetadata meta) {
    Path blob = cache.blob(meta.etag());
    String own = meta.isSha256() ? "" : "." + UUID.randomUUID().toString().substring(0, 8);
    return blob.resolveSibling(meta.etag() + own + ".incomplete");
  }

  /** Links are followed: contents may lie elsewhere. */
  static boolean isWhole(Path blob, FileMetadata meta) throws IOException {
    return Files.exists(blob) && (meta.size() < 0 || Files.size(blob) == meta.size());
  }

  private void bring(FileMetadata meta, Path blob) throws IOException, InterruptedException {
    Path partial = partialFile(meta);
    Files.createDirectories(blob.getParent());
    boolean done = false;
    try {
      if (!fill(meta, partial)) {
        LOG.warn(
            "{}: {}: what arrived has another SHA-256 than the hub says; again", id, meta.file());
        if (!fill(meta, partial)) {
          throw new HubException(
              Reason.CORRUPT,
              id
                  + ": "
                  + meta.file()
                  + ": arrived twice with another SHA-256 than the "
                  + meta.etag()
                  + " that the hub says: something on the way changes it");
        }
      }
      Files.move(
          partial, blob, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      done = true;
    } finally {
      if (!done && !meta.isSha256()) {
        Files.deleteIfExists(partial);
      }
    }
  }

  /** Fills a file; false where its contents are wrong, and the file is gone. */
  private boolean fill(FileMetadata meta, Path partial) throws IOException, InterruptedException {
    MessageDigest digest = meta.isSha256() ? sha256() : null;
    boolean right;
    try (FileChannel out = open(partial)) {
      Target target = new Target(partial, out, digest);
      target.takeOver(meta.size());
      progress.advance(target.at);
      receive(meta, target);
      right = digest == null || HexFormat.of().formatHex(digest.digest()).equals(meta.etag());
      if (right) {
        target.force();
      } else {
        progress.advance(-target.at);
      }
    }
    if (!right) {
      Files.delete(partial);
    }
    return right;
  }

  private static FileChannel open(Path partial) throws IOException {
    try {
      return FileChannel.open(
          partial, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
    } catch (IOException e) {
      throw new LocalException(partial, e);
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every JDK has it
    }
  }

  /** Asks for what lacks until nothing does. */
  private void receive(FileMetadata meta, Target target) throws IOException, InterruptedException {
    int failures = 0;
    while (target.at != meta.size()) {
      long before = target.at;
      try {
        receiveOnce(meta, target);
        if (meta.size() < 0) {
          return;
        }
        if (target.at < meta.size()) {
          throw new IOException("it ended after " + target.at + " of " + meta.size() + " bytes");
        }
      } catch (LocalException e) {
        throw e;
      } catch (IOException e) {
        if (Thread.interrupted() || stalls.isBroken()) {
          throw new InterruptedException("the download of " + meta.file() + " was interrupted");
        }
        failures = target.at > before ? 1 : failures + 1;
        client.pause(id, meta.file(), failures, HubClient.ATTEMPTS, e);
      }
    }
  }

  private void receiveOnce(FileMetadata meta, Target target)
      throws IOException, InterruptedException {
    HttpResponse<InputStream> r = client.open(id, meta.commit(), meta.file(), target.at);
    try (InputStream in = r.body();
        StallWatch.Watched watched = stalls.watch(in)) {
      if (r.statusCode() == 200 && target.at > 0) { // it does not do ranges
        progress.advance(-target.at);
        target.restart();
      } else if (r.statusCode() == 206) {
        checkRange(r, target.at);
      }
      byte[] buffer = new byte[BUFFER];
      while (true) {
        int n = watched.read(buffer);
        if (n < 0) {
          return;
        }
        if (meta.size() >= 0 && target.at + n > meta.size()) {
          throw new HubException(
              Reason.CORRUPT,
              id
                  + ": "
                  + meta.file()
                  + ": more than the "
                  + meta.size()
                  + " bytes that the hub says");
        }
        target.write(buffer, n);
        progress.advance(n);
      }
    }
  }

  private static void checkRange(HttpResponse<?> r, long from) throws IOException {
    String range = r.headers().firstValue("Content-Range").orElse("");
    if (!range.startsWith("bytes " + from + "-")) {
      throw new IOException("asked for bytes from " + from + ", got '" + range + "'");
    }
  }

  /** The file that is filled, and the hash of what it holds. */
  private static final class Target {
    private final Path file;
    private final FileChannel out;
    private final @Nullable MessageDigest digest;
    private long at;

    Target(Path file, FileChannel out, @Nullable MessageDigest digest) {
      this.file = file;
      this.out = out;
      this.digest = digest;
    }

    /** Goes on after what an earlier run has left. */
    void takeOver(long size) throws IOException {
      long there = out.size();
      if (digest == null || size >= 0 && there > size) {
        restart();
        return;
      }
      ByteBuffer b = ByteBuffer.allocate(BUFFER);
      while (at < there && out.read(b) >= 0) {
        at += b.position();
        digest.update(b.flip());
        b.clear();
      }
    }

    void restart() throws IOException {
      at = 0;
      out.truncate(0);
      out.position(0);
      if (digest != null) {
        digest.reset();
      }
    }

    void write(byte[] bytes, int n) throws LocalException {
      try {
        ByteBuffer b = ByteBuffer.wrap(bytes, 0, n);
        while (b.hasRemaining()) {
          out.write(b);
        }
      } catch (IOException e) {
        throw new LocalException(file, e);
      }
      if (digest != null) {
        digest.update(bytes, 0, n);
      }
      at += n;
    }

    void force() throws LocalException {
      try {
        out.force(true);
      } catch (IOException e) {
        throw new LocalException(file, e);
      }
    }
  }
}
