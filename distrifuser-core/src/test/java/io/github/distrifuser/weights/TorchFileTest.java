package io.github.distrifuser.weights;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.models.ReferenceModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that torch wrote, and files that mean harm. */
class TorchFileTest {
  private static final Path CASES = ReferenceModels.root().resolve("cases").resolve("metrics");

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"zip.pth", "legacy.pth"})
  void holdsWhatTorchSaved(String name) {
    try (SafetensorsFile expected = SafetensorsFile.open(CASES.resolve("expected.safetensors"));
        StateDict dict = WeightFiles.open(CASES.resolve(name))) {
      assertEquals(expected.names(), dict.names());
      for (String n : Set.of("plain.weight", "turned", "part", "half", "brain", "parameter")) {
        WeightTensor t = dict.get(n);
        WeightTensor e = expected.get(n);
        assertEquals(e.dtype(), t.dtype(), n);
        assertEquals(e.shape(), t.shape(), n);
        assertArrayEquals(e.toFloats(), t.toFloats(), n);
      }
      String message = assertThrows(WeightsException.class, () -> dict.get("double")).getMessage();
      assertTrue(message.contains("expected F32, F16 or BF16, found F64"), message);
    }
  }

  @Test
  void aScriptsTensorsHaveTheirModulesNames() {
    try (StateDict dict = WeightFiles.open(CASES.resolve("script.pt"))) {
      assertEquals(
          Set.of("layers.conv.weight", "layers.conv.beta", "output.weight", "output.bias"),
          dict.names());
      assertEquals(48, dict.get("layers.conv.weight", 4, 3, 2, 2).toFloats().length);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"evil.pth", "evil_zip.pth"})
  void whatAsksToRunSomethingIsRefused(String name) {
    Path file = CASES.resolve(name);
    String message =
        assertThrows(WeightsException.class, () -> WeightFiles.open(file)).getMessage();
    assertTrue(message.startsWith(file + ": refused: it asks to run "), message);
    assertTrue(message.contains(".system"), message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"zip.pth", "legacy.pth", "script.pt"})
  void aFileCutAnywhereIsAnErrorThatNamesIt(String name) throws IOException {
    byte[] bytes = Files.readAllBytes(CASES.resolve(name));
    Path cut = folder.resolve(name);
    for (int length = 4; length < bytes.length; length += 29) {
      Files.write(cut, Arrays.copyOf(bytes, length));
      String message =
          assertThrows(WeightsException.class, () -> WeightFiles.open(cut)).getMessage();
      assertTrue(message.startsWith(cut + ": "), message);
    }
  }

  /** Whatever a damaged pickle says, it ends in an error or in tensors. */
  @Test
  void aDamagedFileIsAnErrorOrIsRead() throws IOException {
    byte[] bytes = Files.readAllBytes(CASES.resolve("legacy.pth"));
    Path damaged = folder.resolve("damaged.pth");
    int errors = 0;
    for (int at = 4; at < bytes.length; at += 3) {
      byte[] changed = bytes.clone();
      changed[at] ^= 0x41;
      Files.write(damaged, changed);
      try (StateDict dict = WeightFiles.open(damaged)) {
        assertFalse(dict.names().isEmpty());
      } catch (WeightsException e) {
        errors++;
        assertTrue(e.getMessage().startsWith(damaged.toString()), e.getMessage());
      }
    }
    assertTrue(errors > bytes.length / 12, errors + " errors");
  }
}
