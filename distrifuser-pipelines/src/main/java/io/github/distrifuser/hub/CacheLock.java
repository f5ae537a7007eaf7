package io.github.distrifuser.hub;

import com.sun.jna.LastErrorException;
import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Platform;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An exclusive lock on a file, of the kind that Python's filelock takes: flock(2), which Java's own
 * {@link FileLock} (fcntl) does not see, and on Windows a lock on the first byte, which Java's
 * does. It also excludes other threads of this process. The file stays when the lock is released:
 * who removes it splits those who wait.
 */
final class CacheLock implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(CacheLock.class);
  private static final Duration POLL = Duration.ofMillis(50);
  private static final Duration TELL_EVERY = Duration.ofSeconds(10);

  private static final int LOCK_EX = 2;
  private static final int LOCK_NB = 4;
  private static final int O_RDWR = 2;
  private static final int ENOSYS = Platform.isMac() || Platform.isFreeBSD() ? 78 : 38;
  private static final int ENOTSUP = Platform.isLinux() ? 95 : 45;

  /** The C library's functions. */
  interface CLibrary extends Library {
    int open(String path, int flags) throws LastErrorException;

    int flock(int fd, int operation) throws LastErrorException;

    int close(int fd) throws LastErrorException;
  }

  private static final @Nullable CLibrary C = load();

  private final int fd; // of flock; -1 where the channel holds the lock
  private final @Nullable FileChannel channel;
  private boolean released;

  private CacheLock(int fd, @Nullable FileChannel channel) {
    this.fd = fd;
    this.channel = channel;
  }

  private static @Nullable CLibrary load() {
    if (Platform.isWindows()) {
      return null;
    }
    try {
      return Native.load("c", CLibrary.class);
    } catch (UnsatisfiedLinkError | NoClassDefFoundError e) {
      LOG.warn(
          "flock(2) cannot be called ({}): Python programs that fill the hub's cache at the same"
              + " time are not waited for",
          e.getMessage());
      return null;
    }
  }

  /**
   * Waits for the lock.
   *
   * @param what what the holder does, for the message of who waits
   * @throws InterruptedException where the thread is interrupted while it waits
   * @throws IOException where the file cannot be opened or locked
   */
  static CacheLock acquire(Path file, String what) throws IOException, InterruptedException {
    create(file);
    long begin = System.nanoTime();
    long told = begin;
    while (true) {
      CacheLock lock = tryAcquire(file);
      if (lock != null) {
        return lock;
      }
      Thread.sleep(POLL.toMillis());
      long now = System.nanoTime();
      if (now - told > TELL_EVERY.toNanos()) {
        told = now;
        LOG.info(
            "{}: another process is at it; waiting for {} ({} s so far)",
            what,
            file,
            String.format(Locale.ROOT, "%.0f", (now - begin) * 1e-9));
      }
    }
  }

  /** The lock, or null where another holds it. */
  static @Nullable CacheLock tryAcquire(Path file) throws IOException {
    create(file);
    return C == null ? tryChannel(file) : tryFlock(C, file);
  }

  private static void create(Path file) throws IOException {
    Files.createDirectories(file.getParent());
    if (!Files.exists(file)) {
      // Not CREATE_NEW: another process may be as fast.
      FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE).close();
    }
  }

  private static @Nullable CacheLock tryFlock(CLibrary c, Path file) throws IOException {
    int fd;
    try {
      fd = c.open(file.toString(), O_RDWR);
    } catch (LastErrorException e) {
      throw new IOException(file + ": cannot be opened: " + e.getMessage(), e);
    }
    boolean held = false;
    try {
      c.flock(fd, LOCK_EX | LOCK_NB);
      held = isStillThere(fd, file);
    } catch (LastErrorException e) {
      if (e.getErrorCode() == ENOSYS || e.getErrorCode() == ENOTSUP) {
        LOG.warn("{}: this file system knows no locks; going on without", file);
        held = true; // each download is checked and renamed into place: the cache stays whole
      } else if (!isContention(e.getErrorCode())) {
        throw new IOException(file + ": cannot be locked: " + e.getMessage(), e);
      }
    } finally {
      if (!held) {
        c.close(fd);
      }
    }
    return held ? new CacheLock(fd, null) : null;
  }

  private static boolean isContention(int errno) {
    int eacces = 13;
    int eintr = 4;
    int eagain = Platform.isLinux() ? 11 : 35;
    return errno == eagain || errno == eacces || errno == eintr;
  }

  /** Whether the path still names what was locked: another may have removed it meanwhile. */
  private static boolean isStillThere(int fd, Path file) throws IOException {
    Path open = Path.of("/dev/fd/" + fd);
    try {
      return !Files.exists(open) || Files.isSameFile(open, file);
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  private static @Nullable CacheLock tryChannel(Path file) throws IOException {
    FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
    FileLock lock = null;
    try {
      lock = channel.tryLock(0, 1, false);
    } catch (OverlappingFileLockException e) {
      LOG.debug("{}: another thread of this process holds it", file);
    } finally {
      if (lock == null) {
        channel.close();
      }
    }
    return lock == null ? null : new CacheLock(-1, channel);
  }

  /** Releases it. Idempotent. */
  @Override
  public void close() throws IOException {
    if (released) {
      return;
    }
    released = true;
    if (channel != null) {
      channel.close();
    } else if (C != null) {
      try {
        C.close(fd);
      } catch (LastErrorException e) {
        throw new IOException("a lock of the hub's cache cannot be released: " + e.getMessage(), e);
      }
    }
  }
}
