package io.github.distrifuser.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BackendsTest {
  @TempDir Path folder;

  /** A provider that makes nothing. */
  abstract static class Fake implements BackendProvider {
    private final String name;
    private final String kind;
    private final int priority;
    private final @Nullable String reason;

    Fake(String name, String kind, int priority, @Nullable String reason) {
      this.name = name;
      this.kind = kind;
      this.priority = priority;
      this.reason = reason;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public String deviceKind() {
      return kind;
    }

    @Override
    public int priority() {
      return priority;
    }

    @Override
    public @Nullable String unavailableReason() {
      return reason;
    }

    @Override
    public int deviceCount() {
      return 1;
    }

    @Override
    public Backend create(BackendOptions options) {
      throw new UnsupportedOperationException(name + " makes no backend");
    }
  }

  /** Works, on a GPU. */
  public static final class Gpu extends Fake {
    public Gpu() {
      super("fake-gpu", "cuda", 200, null);
    }
  }

  /** Would be the best. */
  public static final class Broken extends Fake {
    public Broken() {
      super("fake-broken", "cuda", 300, "libfake.so is missing");
    }
  }

  /** Works, faster than the reference. */
  public static final class Fast extends Fake {
    public Fast() {
      super("fake-fast", "cpu", 100, null);
    }
  }

  /** Runs with these providers beside those of the class path. */
  private <T> T with(Supplier<T> body, Class<?>... providers) throws IOException {
    Path services = Files.createDirectories(folder.resolve("META-INF/services"));
    Files.write(
        services.resolve(BackendProvider.class.getName()),
        List.of(providers).stream().map(Class::getName).toList());
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    try (URLClassLoader loader = new URLClassLoader(new URL[] {folder.toUri().toURL()}, before)) {
      thread.setContextClassLoader(loader);
      return body.get();
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  private String chosen(String device, Class<?>... providers) throws IOException {
    return with(() -> Backends.choose(device).name(), providers);
  }

  @Test
  void theReferenceIsAlwaysThere() {
    BackendProvider p = Backends.choose("reference");
    assertEquals("cpu", p.deviceKind());
    assertEquals(1, p.deviceCount());
    try (Backend b = p.create(BackendOptions.defaults())) {
      assertEquals("reference", b.name());
      assertEquals("cpu", b.device().toString());
    }
  }

  @Test
  void theBestThatWorksWins() throws IOException {
    assertEquals("fake-gpu", chosen("auto", Fast.class, Broken.class, Gpu.class));
    assertEquals("fake-fast", chosen("auto", Broken.class, Fast.class));
    assertEquals("reference", chosen("auto", Broken.class));
  }

  @Test
  void aKindOrANameNarrowsTheChoice() throws IOException {
    assertEquals("fake-fast", chosen("cpu", Fast.class, Gpu.class));
    assertEquals("fake-gpu", chosen("cuda", Fast.class, Gpu.class, Broken.class));
    assertEquals("reference", chosen("reference", Fast.class, Gpu.class));
  }

  @Test
  void providersAreListedBestFirst() throws IOException {
    List<String> names =
        with(
            () -> Backends.providers().stream().map(BackendProvider::name).toList(),
            Fast.class,
            Broken.class,
            Gpu.class);
    List<String> known = List.of("fake-broken", "fake-gpu", "fake-fast", "reference");
    assertEquals(known, names.stream().filter(known::contains).toList());
  }

  @Test
  void noneIsAnErrorThatSaysWhy() {
    IllegalStateException broken =
        assertThrows(IllegalStateException.class, () -> chosen("fake-broken", Broken.class));
    assertTrue(
        broken.getMessage().contains("fake-broken: libfake.so is missing"), broken.getMessage());
    IllegalStateException none =
        assertThrows(IllegalStateException.class, () -> chosen("tpu", Fast.class));
    assertEquals("no backend for device 'tpu': none is on the class path", none.getMessage());
  }
}
