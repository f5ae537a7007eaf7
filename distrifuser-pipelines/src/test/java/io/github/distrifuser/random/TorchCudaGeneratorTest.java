package io.github.distrifuser.random;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.weights.HalfFloats;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class TorchCudaGeneratorTest {

  /** Random123's known answers for philox4x32-10. */
  @Test
  void philoxGivesTheKnownAnswers() {
    assertPhilox(new int[4], 0, new int[] {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    assertPhilox(
        new int[] {-1, -1, -1, -1}, -1, new int[] {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    assertPhilox(
        new int[] {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
        0x299f31d0_a4093822L,
        new int[] {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
  }

  private static void assertPhilox(int[] counter, long key, int[] expected) {
    Philox.generate(counter, key);
    assertArrayEquals(expected, counter);
  }

  /** torch.randn(3, 4, device="cuda") after manual_seed(0), as published with CPU imitations. */
  @Test
  void drawsWhatTorchDrawsOnAGpu() {
    float[] expected = {
      -0.92466259f, -0.42534415f, -2.6438457f, 0.14518388f,
      -0.12086647f, -0.57972564f, -0.62285122f, -0.32838709f,
      -1.07454231f, -0.36314407f, -1.67105067f, 2.26550497f
    };
    assertArrayEquals(expected, new TorchCudaGenerator(0).randn(3, 4), 1e-6f);
  }

  @Test
  void smallDrawsAreTheSameOnEveryGpu() {
    float[] large = new TorchCudaGenerator(7, 132, 2048).randn(1, 4, 32, 32);
    assertArrayEquals(large, new TorchCudaGenerator(7, 2, 2048).randn(1, 4, 32, 32));
    // Elements come from threads of their own, so a longer draw begins with the shorter one.
    assertArrayEquals(Arrays.copyOf(large, 100), new TorchCudaGenerator(7, 132, 2048).randn(100));
  }

  /** On a GPU of 256 threads, thread 0 makes elements 0, 256, 512, 768 and then 1024. */
  @Test
  void largeDrawsAreDealtOutToThreads() {
    Generator small = new TorchCudaGenerator(7, 1, 256);
    float[] all = small.randn(1025);
    Generator other = new TorchCudaGenerator(7, 1, 256);
    float[] first = other.randn(1024);
    assertArrayEquals(first, Arrays.copyOf(all, 1024));
    float[] second = other.randn(1);
    assertEquals(all[1024], second[0], "the second call of thread 0");
    // Two calls of each thread are spent by 1025 elements, and so are two draws of up to 1024.
    assertArrayEquals(other.randn(16), small.randn(16));
  }

  @Test
  void numbersAreNormal() {
    float[] a = new TorchCudaGenerator(3, 1, 256).randn(100_000);
    double sum = 0;
    double squares = 0;
    for (float v : a) {
      sum += v;
      squares += (double) v * v;
    }
    assertEquals(0, sum / a.length, 0.01);
    assertEquals(1, squares / a.length, 0.02);
  }

  @Test
  void halfPrecisionIsRoundedFloat() {
    float[] full = new TorchCudaGenerator(5).randn(50);
    float[] half = new TorchCudaGenerator(5).randn(DType.F16, 50);
    for (int i = 0; i < full.length; i++) {
      assertEquals(HalfFloats.f16ToFloat(HalfFloats.floatToF16(full[i])), half[i]);
    }
    assertEquals(5, new TorchCudaGenerator(5).initialSeed());
    assertThrows(IllegalArgumentException.class, () -> new TorchCudaGenerator(5, 0, 2048));
  }
}
