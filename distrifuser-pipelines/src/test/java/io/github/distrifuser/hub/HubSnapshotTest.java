package io.github.distrifuser.hub;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.hub.HubException.Reason;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** What lies in the cache afterwards, and what is asked for. */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "links need a right there")
class HubSnapshotTest {
  private static final Set<String> NEEDED =
      Set.of(
          "model_index.json",
          "scheduler/scheduler_config.json",
          "tokenizer/vocab.json",
          "tokenizer/merges.txt",
          "unet/config.json",
          HubRig.UNET,
          "vae/config.json",
          HubRig.VAE);

  @TempDir Path cache;
  private HubServer server;

  @BeforeEach
  void start() throws IOException {
    server = HubRig.server();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  static Set<String> filesOf(Path folder) throws IOException {
    try (Stream<Path> walk = Files.walk(folder)) {
      Set<String> out = new TreeSet<>();
      walk.filter(p -> !Files.isDirectory(p, LinkOption.NOFOLLOW_LINKS))
          .forEach(p -> out.add(folder.relativize(p).toString()));
      return out;
    }
  }

  private Path home() {
    return cache.resolve("models--someone--a.model");
  }

  @Test
  void liesAsPythonLaysIt() throws IOException {
    Path snapshot = HubRig.snapshot(server, cache);
    assertEquals(home().resolve("snapshots").resolve(HubServer.COMMIT), snapshot);
    assertEquals(NEEDED, filesOf(snapshot));
    for (String f : NEEDED) {
      assertArrayEquals(server.file(f), Files.readAllBytes(snapshot.resolve(f)), f);
      Path link = Files.readSymbolicLink(snapshot.resolve(f));
      String up = f.contains("/") ? "../../../blobs/" : "../../blobs/";
      assertEquals(up + HubServer.etag(f, server.file(f)), link.toString());
    }
    assertEquals(HubServer.COMMIT, Files.readString(home().resolve("refs/main")));
    assertEquals(NEEDED.size(), filesOf(home().resolve("blobs")).size());
  }

  @Test
  void whatIsThereIsNotAskedForAgain() throws IOException {
    HubRig.snapshot(server, cache);
    server.requests().clear();
    HubRig.snapshot(server, cache);
    assertEquals(1, server.requests().size(), server.requests().toString());

    Files.delete(home().resolve("snapshots").resolve(HubServer.COMMIT).resolve(HubRig.VAE));
    server.requests().clear();
    HubRig.snapshot(server, cache);
    assertEquals(
        List.of("GET", "HEAD"),
        server.requests().stream().map(HubServer.Request::method).toList(),
        "the blob was there: only its name is asked for");
  }

  @Test
  void aCommitNeedsNoRef() throws IOException {
    HubId id = HubId.parse(HubServer.REPO + "@" + HubServer.COMMIT);
    HubRig.snapshot(id, null, HubRig.settings(server, cache, null));
    assertFalse(Files.exists(home().resolve("refs")));
    assertTrue(Files.isDirectory(HubRig.snapshot(id, null, HubRig.offline(cache))));
  }

  @Test
  void takesTheVariantWhereThereIsOne() throws IOException {
    Path snapshot = HubRig.snapshot(HubRig.ID, "fp16", HubRig.settings(server, cache, null));
    assertTrue(Files.exists(snapshot.resolve(HubRig.UNET_FP16)));
    assertFalse(Files.exists(snapshot.resolve(HubRig.UNET)));
    assertTrue(Files.exists(snapshot.resolve(HubRig.VAE)), "there is no other");
  }

  @Test
  void aLinkedBlobIsFollowedAndWhatItPointsAtIsKept(@TempDir Path elsewhere) throws IOException {
    byte[] unet = server.file(HubRig.UNET);
    Path contents = Files.write(elsewhere.resolve("unet"), unet);
    Path blobs = Files.createDirectories(home().resolve("blobs"));
    Path blob = blobs.resolve(HubServer.sha256(unet));
    Files.createSymbolicLink(blob, contents);
    Path damaged = Files.write(elsewhere.resolve("vae"), new byte[] {1, 2, 3});
    Path vae = blobs.resolve(HubServer.sha256(server.file(HubRig.VAE)));
    Files.createSymbolicLink(vae, damaged);

    Path snapshot = HubRig.snapshot(server, cache);
    assertEquals(0, server.gets(HubRig.UNET).size());
    assertTrue(Files.isSymbolicLink(blob));
    assertArrayEquals(unet, Files.readAllBytes(contents));
    assertArrayEquals(unet, Files.readAllBytes(snapshot.resolve(HubRig.UNET)));
    // One that is too short is replaced, the link and not what it points at.
    assertArrayEquals(server.file(HubRig.VAE), Files.readAllBytes(snapshot.resolve(HubRig.VAE)));
    assertArrayEquals(new byte[] {1, 2, 3}, Files.readAllBytes(damaged));
  }

  @Test
  void manyThatWantItBringItOnce() throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(4);
    try {
      Callable<Path> one = () -> HubRig.snapshot(server, cache);
      for (Future<Path> f : pool.invokeAll(List.of(one, one, one, one))) {
        assertEquals(NEEDED, filesOf(f.get()));
      }
    } finally {
      pool.shutdownNow();
    }
    for (String f : NEEDED) {
      assertEquals(1, server.gets(f).size(), f);
    }
  }

  @Test
  void offlineTakesWhatIsThere() throws IOException {
    HubSettings offline = HubRig.offline(cache);
    HubException e =
        assertThrows(HubException.class, () -> HubRig.snapshot(HubRig.ID, null, offline));
    assertEquals(Reason.NOT_CACHED, e.reason());
    assertTrue(
        e.getMessage().contains("revision 'main' is not in the cache " + cache), e.getMessage());

    Path snapshot = HubRig.snapshot(server, cache);
    assertEquals(snapshot, HubRig.snapshot(HubRig.ID, null, offline));

    Files.delete(snapshot.resolve("vae/config.json"));
    e = assertThrows(HubException.class, () -> HubRig.snapshot(HubRig.ID, null, offline));
    assertTrue(e.getMessage().contains("vae/config.json is not in the cache"), e.getMessage());
  }

  @Test
  void aHubThatCannotBeReachedIsDoneWithout() throws IOException {
    HubSettings nowhere =
        new HubSettings(
            URI.create("http://127.0.0.1:1"),
            cache,
            null,
            false,
            Duration.ofSeconds(10),
            Duration.ofMillis(1));
    HubException e =
        assertThrows(HubException.class, () -> HubRig.snapshot(HubRig.ID, null, nowhere));
    assertEquals(Reason.UNREACHABLE, e.reason());
    assertTrue(e.getMessage().contains("http://127.0.0.1:1 cannot be reached"), e.getMessage());
    Path snapshot = HubRig.snapshot(server, cache);
    assertEquals(snapshot, HubRig.snapshot(HubRig.ID, null, nowhere));
  }
}
