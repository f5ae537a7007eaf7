package io.github.distrifuser.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.cuda.LibCuda;
import io.github.distrifuser.tensor.DType;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The real compiler, which needs no GPU. */
@Tag("cuda-standin")
class NvrtcCompilerTest {
  private static NvrtcCompiler compiler;

  @BeforeAll
  static void load() {
    LibCuda.load();
    compiler = new NvrtcCompiler(true);
  }

  /** A warning would be an exception with the log. */
  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_89", "sm_90", "sm_100"})
  void allKernelsCompileWithoutWarnings(String architecture) {
    for (DType dtype : List.of(DType.F32, DType.F16, DType.BF16)) {
      for (KernelSource source : KernelLibrary.sources(dtype)) {
        byte[] cubin = compiler.compile(source, architecture);
        assertArrayEquals(new byte[] {0x7f, 'E', 'L', 'F'}, Arrays.copyOf(cubin, 4));
        String symbols = new String(cubin, StandardCharsets.ISO_8859_1);
        for (Kernel kernel : KernelLibrary.kernels(source)) {
          assertTrue(symbols.contains("\0" + kernel.name() + "\0"), kernel.name());
        }
      }
    }
  }

  @Test
  void anUnknownArchitectureIsAnErrorWithTheCompilersWords() {
    KernelSource source = new KernelSource("untyped", null);
    KernelCompilationException e =
        assertThrows(KernelCompilationException.class, () -> compiler.compile(source, "sm_1"));
    assertTrue(e.getMessage().contains("untyped for sm_1"), e.getMessage());
    assertTrue(e.getMessage().contains("gpu-architecture"), e.getMessage());
  }

  @Test
  void codeComesBackFromTheDisk(@TempDir Path folder) {
    KernelSource source = new KernelSource("untyped", null);
    byte[] first = new KernelCache(folder, compiler).cubin(source, "sm_90");
    KernelCompiler none =
        new KernelCompiler() {
          @Override
          public String version() {
            return compiler.version();
          }

          @Override
          public List<String> options() {
            return compiler.options();
          }

          @Override
          public byte[] compile(KernelSource s, String architecture) {
            throw new AssertionError("compiled again");
          }
        };
    assertArrayEquals(first, new KernelCache(folder, none).cubin(source, "sm_90"));
    assertEquals("nvrtc 13.1", compiler.version());
  }
}
