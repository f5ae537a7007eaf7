package io.github.distrifuser.hub;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class CacheLockTest {
  @TempDir Path folder;
  private Path file;

  @BeforeEach
  void name() {
    file = folder.resolve("locks/etag.lock");
  }

  @Test
  void excludesOtherThreads() throws Exception {
    AtomicBoolean held = new AtomicBoolean();
    Thread other;
    try (CacheLock lock = CacheLock.acquire(file, "test")) {
      assertNull(CacheLock.tryAcquire(file), "two hold " + lock);
      other =
          new Thread(
              () -> {
                try (CacheLock second = CacheLock.acquire(file, "test")) {
                  held.set(second != null);
                } catch (IOException | InterruptedException e) {
                  throw new IllegalStateException(e);
                }
              });
      other.start();
      other.join(200);
      assertFalse(held.get());
    }
    other.join();
    assertTrue(held.get());
    assertTrue(Files.exists(file), "the file must stay, for those who wait");
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aLockOfARemovedFileIsNone() throws Exception {
    try (CacheLock first = CacheLock.acquire(file, "test")) {
      assertNotNull(first);
      Files.delete(file);
      try (CacheLock second = CacheLock.tryAcquire(file)) {
        assertNotNull(second, "another file of the same name is free");
        assertNull(CacheLock.tryAcquire(file));
      }
    }
  }

  @Test
  void waitingEndsWithAnInterrupt() throws Exception {
    try (CacheLock lock = CacheLock.acquire(file, "test")) {
      Thread.currentThread().interrupt();
      assertThrows(
          InterruptedException.class, () -> CacheLock.acquire(file, "test"), lock.toString());
    }
  }

  @Test
  void releasingTwiceIsOnce() throws Exception {
    CacheLock lock = CacheLock.acquire(file, "test");
    lock.close();
    try (CacheLock next = CacheLock.acquire(file, "test")) {
      lock.close();
      assertNull(CacheLock.tryAcquire(file), next.toString());
    }
  }
}
