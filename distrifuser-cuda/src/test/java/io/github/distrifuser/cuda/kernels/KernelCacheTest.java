package io.github.distrifuser.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.github.distrifuser.tensor.DType;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelCacheTest {
  private static final KernelSource NORM = new KernelSource("norm", DType.F16);

  @TempDir private Path folder;
  private final List<String> compiled = new ArrayList<>();

  private final class Imitation implements KernelCompiler {
    private final String version;
    private final List<String> options;

    Imitation(String version, String... options) {
      this.version = version;
      this.options = List.of(options);
    }

    @Override
    public String version() {
      return version;
    }

    @Override
    public List<String> options() {
      return options;
    }

    @Override
    public byte[] compile(KernelSource source, String architecture) {
      String code = version + options + source + architecture;
      compiled.add(code);
      return code.getBytes(StandardCharsets.UTF_8);
    }
  }

  private String cubin(KernelCompiler compiler, KernelSource source, String architecture) {
    KernelCache cache = new KernelCache(folder.resolve("a").resolve("b"), compiler);
    return new String(cache.cubin(source, architecture), StandardCharsets.UTF_8);
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.list(folder.resolve("a").resolve("b"))) {
      return files.toList();
    }
  }

  @Test
  void compilesOnce() throws IOException {
    String first = cubin(new Imitation("c 1"), NORM, "sm_90");
    assertEquals("c 1[]norm_f16sm_90", first);
    assertEquals(first, cubin(new Imitation("c 1"), NORM, "sm_90"));
    assertEquals(1, compiled.size());
    assertEquals(1, files().size());
  }

  @Test
  void anythingElseIsCompiledOnItsOwn() throws IOException {
    cubin(new Imitation("c 1"), NORM, "sm_90");
    cubin(new Imitation("c 2"), NORM, "sm_90");
    cubin(new Imitation("c 1", "-x"), NORM, "sm_90");
    cubin(new Imitation("c 1"), NORM, "sm_100");
    cubin(new Imitation("c 1"), new KernelSource("norm", DType.BF16), "sm_90");
    cubin(new Imitation("c 1"), new KernelSource("noise", DType.F16), "sm_90");
    assertEquals(6, compiled.size());
    assertEquals(6, files().size());
  }

  @Test
  void damagedFilesAreWrittenAnew() throws IOException {
    String first = cubin(new Imitation("c 1"), NORM, "sm_90");
    Path file = files().get(0);
    byte[] good = Files.readAllBytes(file);
    byte[] flipped = good.clone();
    flipped[flipped.length - 1] ^= 1;
    byte[] cut = Arrays.copyOf(good, good.length - 1);
    for (byte[] bad : new byte[][] {flipped, cut, new byte[32], new byte[0]}) {
      Files.write(file, bad);
      compiled.clear();
      assertEquals(first, cubin(new Imitation("c 1"), NORM, "sm_90"));
      assertEquals(1, compiled.size());
      assertArrayEquals(good, Files.readAllBytes(file));
    }
  }

  @Test
  void aFolderThatCannotBeWrittenOnlyCostsTime() throws IOException {
    Files.writeString(folder.resolve("a"), "a file where the folder should be");
    String first = cubin(new Imitation("c 1"), NORM, "sm_90");
    assertEquals(first, cubin(new Imitation("c 1"), NORM, "sm_90"));
    assertEquals(2, compiled.size());
  }

  @Test
  void theFolderIsTheOptionsTheVariablesOrTheUsers() {
    Map<String, String> both = Map.of("DISTRIFUSER_CACHE", "/own", "XDG_CACHE_HOME", "/xdg");
    Path option = Path.of("/option");
    assertEquals(option, KernelCache.folder(option, both, "/home/u"));
    assertEquals(Path.of("/own/kernels"), KernelCache.folder(null, both, "/home/u"));
    assertEquals(
        Path.of("/xdg/distrifuser/kernels"),
        KernelCache.folder(
            null, Map.of("DISTRIFUSER_CACHE", "", "XDG_CACHE_HOME", "/xdg"), "/home/u"));
    assertEquals(
        Path.of("/home/u/.cache/distrifuser/kernels"),
        KernelCache.folder(null, Map.of(), "/home/u"));
  }
}
