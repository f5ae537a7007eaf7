package io.github.distrifuser.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Devices and links by name. */
class KnownTest {
  @ParameterizedTest
  @CsvSource({
    "A100, A100",
    "h100, H100",
    "H200, H200",
    "RTX 4090, RTX_4090",
    "rtx4090, RTX_4090",
    "rtx_3090, RTX_3090",
    "3090, RTX_3090",
    "L4, L4"
  })
  void devices(String name, KnownDevice expected) {
    assertEquals(expected, KnownDevice.of(name));
  }

  @ParameterizedTest
  @CsvSource({"nvlink, NVLINK", "PCIe4, PCIE4", "ethernet, ETHERNET", "100gb, ETHERNET"})
  void links(String name, KnownLink expected) {
    assertEquals(expected, KnownLink.of(name));
  }

  @Test
  void anUnknownNameListsTheChoices() {
    IllegalArgumentException device =
        assertThrows(IllegalArgumentException.class, () -> KnownDevice.of("A10"));
    assertTrue(device.getMessage().contains("RTX 3090"), device.getMessage());
    IllegalArgumentException link =
        assertThrows(IllegalArgumentException.class, () -> KnownLink.of("wifi"));
    assertTrue(link.getMessage().contains("pcie4"), link.getMessage());
  }

  @Test
  void notEveryDeviceHasNvlink() {
    assertEquals(231e9, KnownLink.NVLINK.between(KnownDevice.A100).bandwidth(), 1e9);
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> KnownLink.NVLINK.between(KnownDevice.L4));
    assertTrue(e.getMessage().contains("L4 has no NVLink"), e.getMessage());
  }
}
