package io.github.distrifuser.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.Activation;
import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.PreparedWeight;
import io.github.distrifuser.cuda.standin.Standin;
import io.github.distrifuser.cuda.standin.StandinExtension;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What goes wrong with a device is said in one line that names it. */
@Tag("cuda-standin")
@ExtendWith(StandinExtension.class)
class CudaFaultsTest {
  private static final long MEGABYTE = 1L << 20;

  private final CudaBackendProvider provider = new CudaBackendProvider();

  private Backend open() {
    return provider.create(new BackendOptions(DType.F32, 0, 0));
  }

  private static void says(Throwable e, String... words) {
    String message = String.valueOf(e.getMessage());
    assertTrue(message.lines().count() == 1, message);
    for (String w : words) {
      assertTrue(message.contains(w), w + " in: " + message);
    }
  }

  private static PreparedWeight square(Backend b, int n) {
    ByteBuffer data = ByteBuffer.allocateDirect(4 * n * n);
    WeightTensor w = new WeightTensor("a.weight", "f", DType.F32, Shape.of(n, n), data);
    return b.prepareLinear("a", List.of(w), null);
  }

  @Test
  void aTensorThatDoesNotFitSaysHowMuchItNeeds() {
    try (Backend b = open()) {
      long all = Standin.leaveFree(64 * MEGABYTE);
      try (Tensor first = b.allocate(8, 1024, 1024)) {
        says(
            assertThrows(CudaOutOfMemoryException.class, () -> b.allocate(16, 1024, 1024)),
            "out of memory on cuda:0",
            "a tensor F32[16, 1024, 1024] needs " + 64 * MEGABYTE + " bytes",
            32 * MEGABYTE + " of " + all + " are free",
            "tensors hold " + 32 * MEGABYTE);
        b.fill(first, 2);
        assertEquals(2, b.toFloats(first)[5], "the backend stays usable");
        assertEquals(1, b.memory().liveTensors());
      }
    }
  }

  @Test
  void cachedBlocksAreGivenUpBeforeMemoryIsShort() {
    try (Backend b = open()) {
      Standin.leaveFree(64 * MEGABYTE);
      b.allocate(12, 1024, 1024).close();
      try (Tensor other = b.allocate(13, 1024, 1024)) {
        assertEquals(52 * MEGABYTE, other.byteSize());
      }
    }
  }

  @Test
  void aWeightThatDoesNotFitIsNamed() {
    try (Backend b = open()) {
      Standin.leaveFree(16 * MEGABYTE);
      says(
          assertThrows(CudaOutOfMemoryException.class, () -> square(b, 4096)),
          "weight a needs " + 64 * MEGABYTE + " bytes");
    }
  }

  @Test
  void everyAllocationOfAnOperatorMayFail() {
    try (Backend b = open();
        PreparedWeight w = square(b, 64)) {
      int failures = 0;
      while (true) {
        b.trim();
        try (Tensor x = b.allocate(2, 64);
            Tensor out = b.allocate(2, 64)) {
          b.fill(x, 1);
          b.fill(out, 2);
          Standin.failAllocation(failures + 1);
          b.linear(x, w, Activation.GELU, out, out);
          assertEquals(2, b.toFloats(out)[0], "gelu(0) + 2");
          break;
        } catch (CudaOutOfMemoryException e) {
          failures++;
          says(e, "out of memory on cuda:0", "needs");
        } finally {
          Standin.failAllocation(0);
        }
      }
      assertTrue(failures >= 2, "a product and a workspace are allocated: " + failures);
      assertEquals(0, b.memory().liveTensors());
    }
  }

  @Test
  void aRefusedLaunchNamesTheKernel() {
    try (Backend b = open();
        Tensor t = b.allocate(2, 3)) {
      Standin.refuseLaunch(1);
      says(
          assertThrows(CudaException.class, () -> b.fill(t, 1)),
          "kernel fillStrided_f32",
          "too many resources requested for launch");
      b.fill(t, 1);
      assertArrayEquals(new float[] {1, 1, 1, 1, 1, 1}, b.toFloats(t));
    }
  }

  @Test
  void aKernelThatFailsShowsWhenTheDeviceIsWaitedFor() {
    Backend b = open();
    Tensor t = b.allocate(2, 3);
    Standin.failLaunch(1);
    b.fill(t, 1);
    says(assertThrows(CudaException.class, b::synchronize), "unspecified launch failure");
    says(assertThrows(CudaException.class, () -> b.fill(t, 1)), "fail");
    b.close(); // must not throw, and must give back what the device lets it
    Standin.reset();
  }

  @Test
  void aDriverThatIsTooOldIsNamedWithBothVersions() {
    Standin.versions(12040, 13010, 130200, 91900);
    assertEquals(
        "NVIDIA's driver (libcuda.so.1) is too old: found CUDA 12.4, needed CUDA 13.0 or newer",
        provider.unavailableReason());
  }

  @Test
  void librariesThatAreTooOldAreNamedWithBothVersions() {
    Standin.versions(13010, 13010, 120800, 91900);
    assertEquals(
        "cuBLAS (libcublasLt) is too old: found 12.8.0, needed 13.0.0 or newer",
        provider.unavailableReason());
    Standin.versions(13010, 13010, 130200, 90800);
    assertEquals(
        "cuDNN (libcudnn_graph) is too old: found 9.8.0, needed 9.19.0 or newer",
        provider.unavailableReason());
    Standin.versions(13010, 13010, 130200, 91900);
    assertNull(provider.unavailableReason());
  }

  @Test
  void aMachineWithDriverAndWithoutGpuIsToldSo() {
    Standin.devices(0);
    String reason = String.valueOf(provider.unavailableReason());
    assertTrue(reason.startsWith("NVIDIA's driver is here and finds no GPU"), reason);
    assertEquals(0, provider.deviceCount());
    IllegalStateException e = assertThrows(IllegalStateException.class, this::open);
    assertEquals(reason, e.getMessage());
  }

  @Test
  void aDeviceThatIsNotThereIsRefused() {
    says(
        assertThrows(
            IllegalArgumentException.class,
            () -> provider.create(new BackendOptions(DType.F16, 0, 3))),
        "no device cuda:3: this machine has 1");
  }
}
