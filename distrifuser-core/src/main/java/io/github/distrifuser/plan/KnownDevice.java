package io.github.distrifuser.plan;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Devices by name, with the figures of their makers: multiplications and additions a second by the
 * tensor cores without sparsity (16-bit numbers, sums in float32), the same of float32 without
 * them, bytes a second from and to memory, bytes of memory, and bytes a second by NVLink in one
 * direction.
 *
 * <table>
 * <caption>Sources, all by NVIDIA</caption>
 * <tr><td>A100 (80 GB, SXM)<td>A100 Tensor Core GPU data sheet: 312 and 19.5 TFLOPS, 2,039 GB/s,
 * NVLink 600 GB/s in both directions together
 * <tr><td>H100 (SXM)<td>H100 Tensor Core GPU data sheet: 1,979 TFLOPS with sparsity, which is 989
 * without, and 67 TFLOPS, 3.35 TB/s, NVLink 900 GB/s
 * <tr><td>H200 (SXM)<td>H200 Tensor Core GPU data sheet: as H100, with 4.8 TB/s and 141 GB
 * <tr><td>RTX 3090<td>Ampere GA102 GPU Architecture white paper, appendix: 71 (sums in float32) and
 * 35.6 TFLOPS, 936 GB/s, NVLink 112.5 GB/s
 * <tr><td>RTX 4090<td>Ada GPU Architecture white paper, appendix A: 165.2 (sums in float32) and 82.6
 * TFLOPS, 1,008 GB/s
 * <tr><td>L4<td>L4 Tensor Core GPU data sheet: 242 TFLOPS with sparsity, which is 121 without, and
 * 30.3 TFLOPS, 300 GB/s
 * </table>
 */
public enum KnownDevice {
  A100("A100", 312e12, 19.5e12, 2039e9, 80, 300e9),
  H100("H100", 989e12, 67e12, 3350e9, 80, 450e9),
  H200("H200", 989e12, 67e12, 4800e9, 141, 450e9),
  RTX_3090("RTX 3090", 71e12, 35.6e12, 936e9, 24, 56.25e9),
  RTX_4090("RTX 4090", 165.2e12, 82.6e12, 1008e9, 24, 0),
  L4("L4", 121e12, 30.3e12, 300e9, 24, 0);

  /**
   * What the published implementation reaches on A100s, chosen by hand so that the paper's table
   * comes out (docs/PERFORMANCE.md, The planner). The reasons given are what makes them plausible;
   * nobody measured them apart:
   *
   * <ul>
   *   <li>53 % of the tensor cores' figure and 75 % of the memory's: what the one-GPU column says
   *       of large pictures.
   *   <li>15 microseconds an operator of ours, which stands for two or three kernels of PyTorch's;
   *       each takes some microseconds to start, fill the device and drain.
   *   <li>10 microseconds a posted operation: NCCL's kernel takes multiprocessors for as long.
   *   <li>Seven passes over what is received: NCCL writes it, all_gather copies it out of its flat
   *       buffer, torch.cat joins the patches, and attention's layout takes it once more.
   * </ul>
   */
  static final AcceleratorModel.Overheads OVERHEADS =
      new AcceleratorModel.Overheads(0.53, 0.75, 15e-6, 10e-6, 7);

  private final String tableName;
  private final double flops;
  private final double flops32;
  private final double memoryBandwidth;
  private final long memoryBytes;
  private final double nvlinkBandwidth;

  KnownDevice(
      String tableName,
      double flops,
      double flops32,
      double memoryBandwidth,
      long memoryGigabytes,
      double nvlinkBandwidth) {
    this.tableName = tableName;
    this.flops = flops;
    this.flops32 = flops32;
    this.memoryBandwidth = memoryBandwidth;
    this.memoryBytes = memoryGigabytes * 1_000_000_000L;
    this.nvlinkBandwidth = nvlinkBandwidth;
  }

  /**
   * A device by its name; upper and lower case, blanks, dashes and underscores don't matter, nor
   * does {@code RTX}.
   *
   * @throws IllegalArgumentException for any other name, listing the choices
   */
  public static KnownDevice of(String name) {
    List<String> choices = new ArrayList<>();
    for (KnownDevice d : values()) {
      if (plain(d.tableName).equals(plain(name))) {
        return d;
      }
      choices.add(d.tableName);
    }
    throw new IllegalArgumentException(
        "unknown device '" + name + "': choose from " + String.join(", ", choices));
  }

  /**
   * The device that calls itself so, or null: {@code NVIDIA H100 80GB HBM3} is {@link #H100}, and
   * its variants with other figures (PCIe, NVL, laptops) are none of these.
   */
  public static @Nullable KnownDevice ofDriverName(String name) {
    String n = name.replaceFirst("^NVIDIA ", "").replaceFirst("^GeForce ", "");
    if (n.startsWith("A100")) {
      return A100; // all multiply as fast
    }
    return switch (n) {
      case "H100 80GB HBM3" -> H100;
      case "H200" -> H200;
      case "RTX 3090" -> RTX_3090;
      case "RTX 4090" -> RTX_4090;
      case "L4" -> L4;
      default -> null;
    };
  }

  private static String plain(String name) {
    return name.toLowerCase(Locale.ROOT).replaceAll("[ _-]", "").replaceFirst("^rtx", "");
  }

  /** As tables call it. */
  public String tableName() {
    return tableName;
  }

  /**
   * Multiplications and additions a second of the tensor cores, in 16 bits and without sparsity.
   */
  public double tensorFlops() {
    return flops;
  }

  /** Bytes of its memory. */
  public long memoryBytes() {
    return memoryBytes;
  }

  /** Bytes a second by NVLink in one direction; 0 where it has none. */
  double nvlinkBandwidth() {
    return nvlinkBandwidth;
  }

  /** The device with {@link #OVERHEADS}. */
  public AcceleratorModel model() {
    return new AcceleratorModel(tableName, flops, flops32, memoryBandwidth, OVERHEADS);
  }
}
