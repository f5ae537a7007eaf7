package io.github.distrifuser.plan;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Links by name. Figures are those of one rank and one direction; each rank is taken to have a link
 * of its own. The most that a link carries is from its specification. Which share of it is reached
 * and the latencies of NVLink were chosen with the paper's table in sight (docs/PERFORMANCE.md, The
 * planner); those of the other links are estimates that nothing here was held to.
 *
 * <table>
 * <caption>Sources</caption>
 * <tr><td>NVLink<td>The device's data sheet ({@link KnownDevice}). 77 % of it, 230 of A100's 300
 * GB/s, is at the upper end of what users of NVIDIA's nccl-tests report (from 200 GB/s). 30
 * microseconds for a small operation of two ranks, and 3 for each rank more, are NCCL's ten and what
 * the streams' events and copies of torch.distributed add
 * <tr><td>PCIe 4<td>PCI Express Base Specification 4.0: 16 GT/s on 16 lanes with 128b/130b coding is
 * 31.5 GB/s; 70 % estimated
 * <tr><td>Ethernet, 100 Gb<td>IEEE 802.3: 100 Gbit/s is 12.5 GB/s; 85 % estimated
 * </table>
 */
public enum KnownLink {
  NVLINK("nvlink", 0, 0.77, 30e-6, 3e-6),
  PCIE4("pcie4", 31.5e9, 0.70, 40e-6, 5e-6),
  ETHERNET("ethernet", 12.5e9, 0.85, 60e-6, 10e-6);

  private final String tableName;
  private final double bandwidth; // 0: the device's
  private final double efficiency;
  private final double latency;
  private final double latencyPerPeer;

  KnownLink(
      String tableName,
      double bandwidth,
      double efficiency,
      double latency,
      double latencyPerPeer) {
    this.tableName = tableName;
    this.bandwidth = bandwidth;
    this.efficiency = efficiency;
    this.latency = latency;
    this.latencyPerPeer = latencyPerPeer;
  }

  /**
   * A link by its name; {@code ethernet100} and {@code 100gb} are {@code ethernet}.
   *
   * @throws IllegalArgumentException for any other name, listing the choices
   */
  public static KnownLink of(String name) {
    String plain = name.toLowerCase(Locale.ROOT).replaceAll("[ _-]", "");
    List<String> choices = new ArrayList<>();
    for (KnownLink l : values()) {
      if (l.tableName.equals(plain) || l == ETHERNET && plain.matches("ethernet100(gb)?|100gbe?")) {
        return l;
      }
      choices.add(l.tableName);
    }
    throw new IllegalArgumentException(
        "unknown link '" + name + "': choose from " + String.join(", ", choices));
  }

  /** As tables call it. */
  public String tableName() {
    return tableName;
  }

  /**
   * The link between devices of a kind.
   *
   * @throws IllegalArgumentException where the devices have none
   */
  public LinkModel between(KnownDevice device) {
    double most = this == NVLINK ? device.nvlinkBandwidth() : bandwidth;
    if (most == 0) {
      throw new IllegalArgumentException(
          device.tableName() + " has no NVLink: choose pcie4 or ethernet");
    }
    return new LinkModel(tableName, most * efficiency, latency, latencyPerPeer, true);
  }
}
