package io.github.distrifuser.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import org.junit.jupiter.api.Test;

class KnownDeviceTest {
  @Test
  void devicesAreKnownByTheirDriversNames() {
    assertEquals(KnownDevice.A100, KnownDevice.ofDriverName("NVIDIA A100-SXM4-80GB"));
    assertEquals(KnownDevice.H100, KnownDevice.ofDriverName("NVIDIA H100 80GB HBM3"));
    assertEquals(KnownDevice.H200, KnownDevice.ofDriverName("NVIDIA H200"));
    assertEquals(KnownDevice.RTX_4090, KnownDevice.ofDriverName("NVIDIA GeForce RTX 4090"));
    assertEquals(KnownDevice.L4, KnownDevice.ofDriverName("NVIDIA L4"));
  }

  @Test
  void variantsWithOtherFiguresAreNot() {
    assertNull(KnownDevice.ofDriverName("NVIDIA H100 PCIe"));
    assertNull(KnownDevice.ofDriverName("NVIDIA GeForce RTX 4090 Laptop GPU"));
    assertNull(KnownDevice.ofDriverName("NVIDIA L40S"));
  }
}
