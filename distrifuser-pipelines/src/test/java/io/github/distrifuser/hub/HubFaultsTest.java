package io.github.distrifuser.hub;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.hub.HubException.Reason;
import io.github.distrifuser.hub.HubServer.Request;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What goes wrong between here and the hub. */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "links need a right there")
class HubFaultsTest {
  private static final String TOKEN = "hf_secret";

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

  private Path home() {
    return cache.resolve("models--someone--a.model");
  }

  private String unetBlob() {
    return HubServer.sha256(server.file(HubRig.UNET));
  }

  private HubException fails(Reason reason) {
    return fails(reason, HubRig.ID, null);
  }

  private HubException fails(Reason reason, HubId id, String token) {
    HubException e =
        assertThrows(
            HubException.class,
            () -> HubRig.snapshot(id, null, HubRig.settings(server, cache, token)));
    assertEquals(reason, e.reason(), e.getMessage());
    return e;
  }

  private static void says(HubException e, String words) {
    assertTrue(e.getMessage().contains(words), e.getMessage());
  }

  private void comesWhole() throws IOException {
    Path snapshot = HubRig.snapshot(server, cache);
    for (String f : List.of(HubRig.UNET, HubRig.VAE, "unet/config.json")) {
      assertArrayEquals(server.file(f), Files.readAllBytes(snapshot.resolve(f)), f);
    }
    try (Stream<Path> blobs = Files.list(home().resolve("blobs"))) {
      assertEquals(8, blobs.count(), "files left over");
    }
  }

  // --- who may see what ---

  @Test
  void theTokenGoesToTheHubAlone() {
    HubRig.snapshot(HubRig.ID, null, HubRig.settings(server, cache, TOKEN));
    assertTrue(server.requests().stream().anyMatch(r -> !r.toHub()), "nothing was redirected");
    for (Request r : server.requests()) {
      assertEquals(r.toHub() ? "Bearer " + TOKEN : null, r.token(), r.toString());
    }
  }

  @Test
  void aGatedModelSaysWhereToAccept() {
    server.setFault(
        (r, x, b) -> {
          if (r.path().contains("/resolve/")) {
            HubServer.refuse(x, 403, "GatedRepo", "Access to model is restricted");
            return true;
          }
          return false;
        });
    HubException e = fails(Reason.GATED_REPO);
    says(e, "accept its conditions at " + server.endpoint() + "/" + HubServer.REPO);
    says(e, "HF_TOKEN");
    says(fails(Reason.GATED_REPO, HubRig.ID, TOKEN), "use a token of that account");
  }

  @Test
  void aWrongTokenIsToldAsSuch() {
    server.setFault(
        (r, x, b) -> {
          if (r.token() != null) {
            x.getResponseHeaders()
                .set("X-Error-Message", "Invalid credentials in Authorization header");
            x.sendResponseHeaders(401, -1);
          }
          return r.token() != null;
        });
    HubException e = fails(Reason.BAD_TOKEN, HubRig.ID, TOKEN);
    says(e, "does not accept the token");
    assertFalse(e.getMessage().contains(TOKEN));
  }

  @Test
  void whatIsNotThereIsNamed() {
    says(
        fails(Reason.REPO_NOT_FOUND, new HubId("no/body", "main"), null),
        "no/body: " + server.endpoint() + " has no such model, or it is private");
    says(
        fails(Reason.REVISION_NOT_FOUND, new HubId(HubServer.REPO, "fp16"), null),
        "has no revision 'fp16'");
    server.setFault(
        (r, x, b) -> {
          boolean is = r.path().endsWith("vae/config.json");
          if (is) {
            HubServer.refuse(x, 404, "EntryNotFound", "Entry not found");
          }
          return is;
        });
    says(fails(Reason.ENTRY_NOT_FOUND), "has no file vae/config.json");
  }

  @Test
  void aMovedRepositoryIsFollowed() {
    server.setFault(
        (r, x, b) -> {
          boolean old = r.path().contains("/old/name");
          if (old) {
            String to = x.getRequestURI().toString().replace("old/name", HubServer.REPO);
            x.getResponseHeaders().set("Location", to);
            x.sendResponseHeaders(307, -1);
          }
          return old;
        });
    Path snapshot =
        HubRig.snapshot(new HubId("old/name", "main"), null, HubRig.settings(server, cache, TOKEN));
    assertTrue(snapshot.startsWith(cache.resolve("models--old--name")));
    assertTrue(Files.exists(snapshot.resolve(HubRig.UNET)));
  }

  @Test
  void somethingElseThanAHubIsToldAsSuch() {
    server.setFault(
        (r, x, b) -> {
          byte[] page = "<html>log in to this network</html>".getBytes();
          x.sendResponseHeaders(200, page.length);
          x.getResponseBody().write(page);
          return true;
        });
    says(fails(Reason.BAD_ANSWER), "does not answer as a hub does");
  }

  @Test
  void filesOutsideTheSnapshotAreRefused() throws IOException {
    var files = HubRig.files();
    files.put("tokenizer/../../../../evil.json", new byte[] {1});
    try (HubServer evil = new HubServer(files)) {
      HubException e = assertThrows(HubException.class, () -> HubRig.snapshot(evil, cache));
      assertEquals(Reason.BAD_ANSWER, e.reason());
      says(e, "evil.json");
    }
  }

  // --- what may pass ---

  @ParameterizedTest
  @CsvSource({
    "429, Retry-After, 0",
    "503, X-None, 0",
    "500, X-None, 0",
    "429, RateLimit, api;r=0;t=0"
  })
  void aBusyHubIsAskedAgain(int status, String header, String value) throws IOException {
    Set<String> asked = ConcurrentHashMap.newKeySet(); // downloads are parallel
    server.setFault(
        (r, x, b) -> {
          boolean refuse = asked.add(x.getRequestMethod() + " " + x.getRequestURI());
          if (refuse) {
            x.getResponseHeaders().set(header, value);
            x.sendResponseHeaders(status, -1);
          }
          return refuse;
        });
    comesWhole();
  }

  @Test
  void aHubThatStaysBusyIsAnError() {
    AtomicInteger asked = new AtomicInteger();
    server.setFault(
        (r, x, b) -> {
          asked.incrementAndGet();
          x.getResponseHeaders().set("Retry-After", "7200");
          x.sendResponseHeaders(429, -1);
          return true;
        });
    says(fails(Reason.RATE_LIMITED), "try again in 7200 s");
    assertEquals(1, asked.get(), "it asked again at once");
  }

  @Test
  void aSignedAddressThatHasRunOutIsAskedForAgain() throws IOException {
    AtomicInteger asked = new AtomicInteger();
    server.setFault(
        (r, x, b) -> {
          boolean refuse = !r.toHub() && asked.getAndIncrement() == 0;
          if (refuse) {
            x.sendResponseHeaders(403, -1);
          }
          return refuse;
        });
    comesWhole();
  }

  @Test
  void aSlowServerIsWaitedFor() throws IOException {
    server.setFault(
        (r, x, b) -> {
          if (b == null || r.method().equals("HEAD")) {
            return false;
          }
          int at = HubServer.begin(x, r, b);
          try (OutputStream out = x.getResponseBody()) {
            for (int step = b.length / 5 + 1; at < b.length; at += step) {
              out.write(b, at, Math.min(step, b.length - at));
              out.flush();
              Thread.sleep(20);
            }
          }
          return true;
        });
    comesWhole();
  }

  @Test
  void aServerThatFallsSilentIsLeftAndTheRestAskedFor() throws IOException {
    CountDownLatch end = new CountDownLatch(1);
    AtomicInteger asked = new AtomicInteger();
    server.setFault(
        (r, x, b) -> {
          if (r.toHub() || b == null || asked.getAndIncrement() > 0) {
            return false;
          }
          int at = HubServer.begin(x, r, b);
          OutputStream out = x.getResponseBody();
          out.write(b, at, 1000);
          out.flush();
          end.await();
          return true;
        });
    HubSettings impatient =
        new HubSettings(
            URI.create(server.endpoint()),
            cache,
            null,
            false,
            Duration.ofMillis(500),
            Duration.ofMillis(1));
    try {
      Path snapshot = HubRig.snapshot(HubRig.ID, null, impatient);
      assertArrayEquals(
          server.file(HubRig.UNET), Files.readAllBytes(snapshot.resolve(HubRig.UNET)));
    } finally {
      end.countDown();
    }
    assertTrue(server.requests().stream().anyMatch(r -> "bytes=1000-".equals(r.range())));
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6})
  void whatIsCutGoesOnWhereItWas(long seed) throws IOException {
    Random random = new Random(seed);
    AtomicInteger cuts = new AtomicInteger();
    server.setFault(
        (r, x, b) -> {
          if (r.toHub() || b == null || cuts.getAndIncrement() >= 10) {
            return false;
          }
          int from = HubServer.begin(x, r, b);
          x.getResponseBody().write(b, from, random.nextInt(b.length - from));
          x.getResponseBody().flush();
          return true; // and the connection is closed
        });
    comesWhole();
    assertEquals(12, cuts.get(), "ten cuts, and the two files");
    assertTrue(server.requests().stream().anyMatch(r -> r.range() != null));
  }

  @Test
  void aServerWithoutRangesSendsItAnew() throws IOException {
    AtomicInteger asked = new AtomicInteger();
    server.setFault(
        (r, x, b) -> {
          if (r.toHub() || b == null) {
            return false;
          }
          x.sendResponseHeaders(200, b.length);
          int n = asked.getAndIncrement() < 2 ? b.length / 3 : b.length;
          x.getResponseBody().write(b, 0, n);
          x.getResponseBody().flush();
          return true;
        });
    comesWhole();
  }

  @Test
  void anotherRunGoesOnWhereThisOneEnded() throws IOException {
    server.setFault(
        (r, x, b) -> {
          if (b == null || !r.path().endsWith(unetBlob())) {
            return false;
          }
          if (r.range() != null) {
            x.sendResponseHeaders(503, -1);
            return true;
          }
          HubServer.begin(x, r, b);
          x.getResponseBody().write(b, 0, 12345);
          x.getResponseBody().flush();
          return true;
        });
    says(fails(Reason.BAD_ANSWER), "answered 503");
    assertFalse(Files.exists(home().resolve("refs")), "the revision is not complete");
    Path partial = home().resolve("blobs").resolve(unetBlob() + ".incomplete");
    assertEquals(12345, Files.size(partial));
    server.setFault((r, x, b) -> false);
    server.requests().clear();
    comesWhole();
    assertEquals(
        List.of("bytes=12345-"), server.gets(HubRig.UNET).stream().map(Request::range).toList());
  }

  @Test
  void remainsThatDoNotFitAreThrownAway() throws IOException {
    Path blobs = Files.createDirectories(home().resolve("blobs"));
    Files.write(blobs.resolve(unetBlob() + ".incomplete"), HubRig.noise(99, 5000));
    comesWhole();
  }

  // --- what must not come in ---

  private void spoil(int times) {
    AtomicInteger asked = new AtomicInteger();
    server.setFault(
        (r, x, b) -> {
          if (r.toHub() || b == null || asked.getAndIncrement() >= times) {
            return false;
          }
          byte[] other = b.clone();
          other[other.length / 2] ^= 1;
          HubServer.send(x, r, other);
          return true;
        });
  }

  @Test
  void aWrongHashIsAskedForAgain() throws IOException {
    spoil(1);
    comesWhole();
  }

  @Test
  void aHashThatStaysWrongIsAnError() throws IOException {
    spoil(Integer.MAX_VALUE);
    says(fails(Reason.CORRUPT), "arrived twice with another SHA-256");
    try (Stream<Path> blobs = Files.list(home().resolve("blobs"))) {
      List<String> names = blobs.map(p -> p.getFileName().toString()).toList();
      assertFalse(names.contains(unetBlob()), "the wrong contents are in the cache");
    }
    server.setFault((r, x, b) -> false);
    comesWhole();
  }

  @Test
  void moreThanTheHubSaysIsAnError() {
    server.setFault(
        (r, x, b) -> {
          if (r.toHub() || b == null) {
            return false;
          }
          x.sendResponseHeaders(200, b.length + 10);
          x.getResponseBody().write(b);
          x.getResponseBody().write(new byte[10]);
          return true;
        });
    says(fails(Reason.CORRUPT), "more than the ");
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void aFullDiskLeavesTheCacheValid() throws IOException {
    Path blobs = Files.createDirectories(home().resolve("blobs"));
    Path full = blobs.resolve(unetBlob() + ".incomplete");
    Files.createSymbolicLink(full, Path.of("/dev/full"));
    HubException e = fails(Reason.CACHE);
    says(e, "No space left on device");
    says(e, HubRig.UNET);
    assertFalse(Files.exists(blobs.resolve(unetBlob())));
    assertFalse(
        Files.exists(home().resolve("snapshots").resolve(HubServer.COMMIT).resolve(HubRig.UNET)));
    Files.delete(full);
    comesWhole();
  }

  @Test
  void anInterruptEndsIt() throws Exception {
    CountDownLatch reached = new CountDownLatch(1);
    CountDownLatch end = new CountDownLatch(1);
    server.setFault(
        (r, x, b) -> {
          if (r.toHub() || b == null) {
            return false;
          }
          HubServer.begin(x, r, b);
          x.getResponseBody().write(b, 0, 10);
          x.getResponseBody().flush();
          reached.countDown();
          end.await();
          return true;
        });
    HubException[] thrown = new HubException[1];
    boolean[] flag = new boolean[1];
    Thread t =
        new Thread(
            () -> {
              try {
                HubRig.snapshot(server, cache);
              } catch (HubException e) {
                thrown[0] = e;
                flag[0] = Thread.currentThread().isInterrupted();
              }
            });
    t.start();
    reached.await();
    t.interrupt();
    t.join();
    end.countDown();
    assertNotNull(thrown[0]);
    says(thrown[0], "interrupted");
    assertTrue(flag[0], "the interrupt is lost");
    String unet = unetBlob();
    Path lock = cache.resolve(".locks/models--someone--a.model").resolve(unet + ".lock");
    try (CacheLock free = CacheLock.tryAcquire(lock)) {
      assertNotNull(free, "the blob's lock is still held");
    }
  }
}
