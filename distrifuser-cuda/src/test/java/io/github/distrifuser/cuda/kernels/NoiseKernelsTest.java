package io.github.distrifuser.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.github.distrifuser.random.TorchCudaGenerator;
import io.github.distrifuser.tensor.DType;
import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("cuda-standin")
class NoiseKernelsTest {

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void numbersAreTheHostGeneratorsOwn(DType dtype) {
    Launches launches = new Launches();
    for (long seed : new long[] {0, 233, -5, 1L << 40}) {
      TorchCudaGenerator generator = new TorchCudaGenerator(seed, 2, 512);
      long calls = 0;
      for (int n : new int[] {1, 12, 1023, 4096, 5000, 16 * 1024 + 7}) {
        float[] expected = generator.randn(dtype, n);
        long threads = 256L * Math.min(4, (n + 255) / 256);
        float[] stale = new float[n];
        Arrays.fill(stale, Float.NaN);
        Memory out = Memory.of(dtype, stale);
        launches.launch("normalNoise", dtype, 3, out, n, seed, calls, threads);
        String what = n + " of seed " + seed;
        launches.then(() -> assertArrayEquals(expected, out.floats(), what));
        calls += (n - 1) / (threads * 4) + 1;
      }
    }
    launches.run();
  }
}
