package io.github.distrifuser.hub;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One cache, with Python's huggingface_hub on the other side. */
class PythonHubTest {
  private static final String SNAPSHOT =
      """
      import sys
      from huggingface_hub import snapshot_download
      print(snapshot_download(sys.argv[1], allow_patterns=sys.argv[3:], local_files_only=sys.argv[2] == "offline"))
      """;
  private static final String HOLD =
      """
      import sys
      from filelock import FileLock
      with FileLock(sys.argv[1]):
          print("held", flush=True)
          sys.stdin.readline()
      print("released", flush=True)
      """;
  private static final String TRY =
      """
      import sys
      from filelock import FileLock, Timeout
      try:
          with FileLock(sys.argv[1], timeout=0.3):
              print("free")
      except Timeout:
          print("held")
      """;
  private static final String[] NEEDED = {
    "model_index.json",
    "scheduler/*",
    "tokenizer/*",
    "unet/config.json",
    HubRig.UNET,
    "vae/config.json",
    HubRig.VAE
  };

  @TempDir Path folder;
  private Path cache;
  private HubServer server;

  @BeforeEach
  void start() throws IOException, InterruptedException {
    PythonHub.assume();
    cache = folder.resolve("hub");
    server = HubRig.server();
  }

  @AfterEach
  void stop() {
    if (server != null) {
      server.close();
    }
  }

  private String python(String mode) throws IOException, InterruptedException {
    String[] args = new String[NEEDED.length + 2];
    args[0] = HubServer.REPO;
    args[1] = mode;
    System.arraycopy(NEEDED, 0, args, 2, NEEDED.length);
    return PythonHub.run(server, cache, SNAPSHOT, args);
  }

  /** What lies where, with times: what is written again shows. */
  private Map<String, String> state() throws IOException {
    Map<String, String> out = new TreeMap<>();
    try (Stream<Path> walk = Files.walk(cache.resolve("models--someone--a.model"))) {
      for (Path p : (Iterable<Path>) walk::iterator) {
        if (!Files.isDirectory(p, LinkOption.NOFOLLOW_LINKS)) {
          FileTime t = Files.getLastModifiedTime(p, LinkOption.NOFOLLOW_LINKS);
          String to = Files.isSymbolicLink(p) ? Files.readSymbolicLink(p).toString() : "";
          out.put(cache.relativize(p).toString(), to + " " + t);
        }
      }
    }
    return out;
  }

  @Test
  void pythonFindsWhatIsBroughtHere() throws Exception {
    Path snapshot = HubRig.snapshot(server, cache);
    Map<String, String> before = state();
    server.requests().clear();
    assertEquals(snapshot.toRealPath(), Path.of(python("offline")).toRealPath());
    assertEquals(List.of(), server.requests());
    assertEquals(before, state());

    assertEquals(snapshot.toRealPath(), Path.of(python("online")).toRealPath());
    assertTrue(
        server.requests().stream().noneMatch(r -> r.path().contains("/resolve/") || !r.toHub()),
        server.requests().toString());
    Map<String, String> after = state();
    after.keySet().retainAll(before.keySet()); // it may keep lists of files of its own
    assertEquals(before, after);
  }

  @Test
  void whatPythonBringsIsFoundHere() throws Exception {
    Path snapshot = Path.of(python("online"));
    Map<String, String> before = state();
    server.requests().clear();
    assertEquals(snapshot.toRealPath(), HubRig.snapshot(server, cache).toRealPath());
    assertEquals(1, server.requests().size(), server.requests().toString());
    assertEquals(
        snapshot.toRealPath(),
        HubRig.snapshot(HubRig.ID, null, HubRig.offline(cache)).toRealPath());
    assertEquals(before, state());
  }

  @Test
  void bothLayTheSame() throws Exception {
    HubRig.snapshot(server, cache);
    Map<String, byte[]> here = contents();
    cache = folder.resolve("python");
    python("online");
    Map<String, byte[]> there = contents();
    there.keySet().retainAll(here.keySet());
    assertEquals(here.keySet(), there.keySet());
    here.forEach((name, bytes) -> assertArrayEquals(bytes, there.get(name), name));
  }

  private Map<String, byte[]> contents() throws IOException {
    Map<String, byte[]> out = new TreeMap<>();
    for (String name : state().keySet()) {
      out.put(name, Files.readAllBytes(cache.resolve(name)));
    }
    return out;
  }

  @Test
  void pythonsLockIsWaitedFor() throws Exception {
    Path file = cache.resolve(".locks/models--someone--a.model/x.lock");
    Files.createDirectories(file.getParent());
    Process python = PythonHub.start(server, cache, HOLD, file.toString());
    try (BufferedReader out = python.inputReader()) {
      assertEquals("held", out.readLine());
      assertNull(CacheLock.tryAcquire(file), "Python holds it");
      CompletableFuture<CacheLock> waiting =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return CacheLock.acquire(file, "test");
                } catch (IOException | InterruptedException e) {
                  throw new IllegalStateException(e);
                }
              });
      python.getOutputStream().write('\n');
      python.getOutputStream().close();
      assertEquals("released", out.readLine());
      waiting.get(30, TimeUnit.SECONDS).close();
    } finally {
      python.destroyForcibly();
    }
  }

  @Test
  void pythonWaitsForALockOfOurs() throws Exception {
    Path file = cache.resolve(".locks/models--someone--a.model/x.lock");
    try (CacheLock lock = CacheLock.acquire(file, "test")) {
      assertNotNull(lock);
      assertEquals("held", PythonHub.run(server, cache, TRY, file.toString()));
    }
    assertEquals("free", PythonHub.run(server, cache, TRY, file.toString()));
  }

  @Test
  void bothAtOnceBringEachFileOnce() throws Exception {
    String unet = HubServer.sha256(server.file(HubRig.UNET));
    Path file = cache.resolve(".locks/models--someone--a.model/" + unet + ".lock");
    Files.createDirectories(file.getParent());
    Process python = PythonHub.start(server, cache, HOLD, file.toString());
    try (BufferedReader out = python.inputReader()) {
      assertEquals("held", out.readLine());
      CompletableFuture<Path> here =
          CompletableFuture.supplyAsync(() -> HubRig.snapshot(server, cache));
      Path blobs = cache.resolve("models--someone--a.model/blobs");
      while (!Files.exists(blobs.resolve(HubServer.sha256(server.file(HubRig.VAE))))) {
        assertTrue(python.isAlive());
        Thread.sleep(20);
      }
      assertEquals(List.of(), server.gets(HubRig.UNET), "its lock is Python's");
      Files.write(blobs.resolve(unet), server.file(HubRig.UNET)); // as if Python had brought it
      python.getOutputStream().write('\n');
      python.getOutputStream().close();
      Path snapshot = here.get(30, TimeUnit.SECONDS);
      assertArrayEquals(
          server.file(HubRig.UNET), Files.readAllBytes(snapshot.resolve(HubRig.UNET)));
      assertEquals(List.of(), server.gets(HubRig.UNET));
    } finally {
      python.destroyForcibly();
    }
  }
}
