package io.github.distrifuser.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.Backends;
import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A machine without NVIDIA's driver, as most that build this are. */
class WithoutDriverTest {
  @BeforeEach
  void noDriver() {
    assumeTrue(CudaLibraries.here().missingDriver() != null, "there is a driver here");
  }

  @Test
  void theBackendSaysWhyAndOthersServe() {
    CudaBackendProvider provider = new CudaBackendProvider();
    String reason = provider.unavailableReason();
    assertEquals("NVIDIA's driver is not installed: there is no libcuda.so.1", reason);
    try (Backend b = Backends.choose("auto").create(BackendOptions.defaults())) {
      assertEquals("cpu", b.device().kind());
    }
  }

  @Test
  void nothingOfCudaIsLoaded() throws Exception {
    List<String> loaded = new ArrayList<>();
    try (Watching loader = new Watching(loaded)) {
      Class<?> type = loader.loadClass(CudaBackendProvider.class.getName());
      Object provider = type.getDeclaredConstructor().newInstance();
      assertFalse(type.getMethod("unavailableReason").invoke(provider) == null);
    }
    List<String> own =
        loaded.stream().filter(n -> n.startsWith("io.github.distrifuser.cuda.")).toList();
    assertEquals(
        List.of(CudaBackendProvider.class.getName(), CudaLibraries.class.getName()),
        own.stream().filter(n -> !n.contains("$")).toList());
    assertEquals(List.of(), loaded.stream().filter(n -> n.startsWith("org.bytedeco.")).toList());
  }

  /** Loads the class path anew and notes what it loads. */
  private static final class Watching extends URLClassLoader {
    private final List<String> loaded;

    Watching(List<String> loaded) throws IOException {
      super(urls(), ClassLoader.getPlatformClassLoader());
      this.loaded = loaded;
    }

    private static URL[] urls() throws IOException {
      List<URL> all = new ArrayList<>();
      for (String part : System.getProperty("java.class.path").split(File.pathSeparator)) {
        all.add(Path.of(part).toUri().toURL());
      }
      return all.toArray(new URL[0]);
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
      Class<?> c = super.findClass(name);
      loaded.add(name);
      return c;
    }
  }
}
