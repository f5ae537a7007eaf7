package io.github.distrifuser.random;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.weights.SafetensorsFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TorchGeneratorTest {
  private static Path file(String name) {
    return Path.of(System.getProperty("distrifuser.testResources"), "cases", "rng", name);
  }

  /** Names are seedS.shapeAxB.callN.dtype; calls of one seed, shape and dtype share a stream. */
  @ParameterizedTest
  @ValueSource(strings = {"torch_cpu_randn.safetensors", "torch_cpu_randn_half.safetensors"})
  void drawsWhatTorchDraws(String name) {
    try (SafetensorsFile file = SafetensorsFile.open(file(name))) {
      Set<String> names = file.names();
      int checked = 0;
      for (String first : names) {
        if (!first.contains(".call0.")) {
          continue;
        }
        String[] parts = first.split("\\.");
        long[] shape =
            Stream.of(parts[1].substring("shape".length()).split("x"))
                .mapToLong(Long::parseLong)
                .toArray();
        DType dtype = DType.ofTorchName(parts[3]);
        Generator g = new TorchGenerator(Long.parseLong(parts[0].substring("seed".length())));
        for (int call = 0; ; call++) {
          String key = first.replace(".call0.", ".call" + call + ".");
          if (!file.has(key)) {
            break;
          }
          // A 16-bit result may round the other way where float32 differs in its last bit.
          float atol = dtype == DType.F32 ? 1e-6f : dtype == DType.F16 ? 2e-3f : 1.6e-2f;
          assertArrayEquals(file.get(key).toFloats(), g.randn(dtype, shape), atol, key);
          checked++;
        }
      }
      assertEquals(names.size(), checked, "every tensor of the file belongs to a stream");
    }
  }

  @Test
  void onlyTheLow32BitsOfASeedMatter() {
    float[] five = new TorchGenerator(5).randn(3);
    assertArrayEquals(five, new TorchGenerator((1L << 32) + 5).randn(3));
    assertArrayEquals(new TorchGenerator(0xffffffffL).randn(3), new TorchGenerator(-1).randn(3));
    assertEquals((1L << 32) + 5, new TorchGenerator((1L << 32) + 5).initialSeed());
  }

  @Test
  void severalGeneratorsDrawOneImageEach() {
    Shape shape = Shape.of(2, 4, 3, 3);
    float[] both =
        Draws.randn(List.of(new TorchGenerator(1), new TorchGenerator(2)), DType.F32, shape);
    assertArrayEquals(new TorchGenerator(1).randn(1, 4, 3, 3), Arrays.copyOf(both, 36));
    assertArrayEquals(new TorchGenerator(2).randn(1, 4, 3, 3), Arrays.copyOfRange(both, 36, 72));

    float[] one = Draws.randn(List.of(new TorchGenerator(1)), DType.F32, shape);
    assertArrayEquals(new TorchGenerator(1).randn(2, 4, 3, 3), one);

    List<TorchGenerator> three =
        List.of(new TorchGenerator(1), new TorchGenerator(2), new TorchGenerator(3));
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> Draws.randn(three, DType.F32, shape));
    assertTrue(e.getMessage().contains("[2, 4, 3, 3]"), e.getMessage());
    assertTrue(e.getMessage().contains("found 3"), e.getMessage());
  }

  @Test
  void refusesTypesThatTorchCannotDraw() {
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> new TorchGenerator(0).randn(DType.I64, 2));
    assertTrue(e.getMessage().contains("I64"), e.getMessage());
  }
}
