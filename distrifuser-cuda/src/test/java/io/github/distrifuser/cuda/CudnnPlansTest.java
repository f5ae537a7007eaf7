package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudnn.cudnnGetVersion;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.cuda.ConvPlans.Fusion;
import io.github.distrifuser.cuda.CudnnGraph.Descriptor;
import io.github.distrifuser.cuda.standin.Standin;
import io.github.distrifuser.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.LongSummaryStatistics;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.Loader;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * cuDNN's own word, without a device: it makes an execution plan for every convolution and
 * attention shape of the models, for GPUs that are only described. Nothing runs. Writes the table
 * of docs/CUDNN_PLANS.md.
 */
@Tag("cudnn-plans")
class CudnnPlansTest {
  private static final List<String> LIBRARIES =
      List.of(
          "libnvrtc.so.13",
          "libcublasLt.so.13",
          "libcublas.so.13",
          "libcudnn_graph.so.9",
          "libcudnn_ops.so.9",
          "libcudnn_cnn.so.9",
          "libcudnn_adv.so.9");

  @BeforeAll
  static void load() {
    System.load(Standin.driverWithoutDevice().toString());
    String folders = System.getProperty("cudnn.folders", "");
    for (String library : LIBRARIES) {
      System.load(find(library, folders).toString());
    }
    Loader.load(org.bytedeco.cuda.global.cudart.class);
    Loader.load(org.bytedeco.cuda.global.cudnn.class);
  }

  private static Path find(String library, String folders) {
    for (String folder : folders.split(":")) {
      Path p = Path.of(folder, library);
      if (!folder.isEmpty() && Files.exists(p)) {
        return p.toAbsolutePath();
      }
    }
    throw new IllegalStateException(
        library + " is not in -Dcudnn.folders=" + folders + ", which name NVIDIA's libraries");
  }

  /** Shapes of a row, and how many ended how on a device: what is fused, or none. */
  private record Row(
      Set<String> models,
      TreeSet<List<Long>> sizes,
      Map<DescribedDevice, Map<String, Integer>> results) {
    Row() {
      this(
          new TreeSet<>(),
          new TreeSet<>(
              Comparator.<List<Long>>comparingLong(l -> l.get(0))
                  .thenComparingLong(l -> l.get(l.size() - 1))),
          new EnumMap<>(DescribedDevice.class));
    }

    void add(DescribedDevice device, String result) {
      results.computeIfAbsent(device, d -> new TreeMap<>()).merge(result, 1, Integer::sum);
    }

    int shapes() {
      return results.get(DescribedDevice.A100).values().stream().mapToInt(i -> i).sum();
    }

    String cell(DescribedDevice device) {
      Map<String, Integer> all = results.get(device);
      if (all.size() == 1) {
        return all.keySet().iterator().next();
      }
      List<String> parts = new ArrayList<>();
      all.forEach((result, n) -> parts.add(result + " " + n));
      return String.join(", ", parts);
    }
  }

  private final Map<String, Row> convolutions = new TreeMap<>();
  private final Map<String, Row> attentions = new TreeMap<>();
  private final List<String> without = new ArrayList<>();

  @Test
  void everyShapeGetsAPlan() throws IOException {
    for (DescribedDevice device : DescribedDevice.values()) {
      device.describe().close(); // before the shapes, which take a while
    }
    PlanShapes shapes = PlanShapes.all();
    assertTrue(shapes.convolutions().size() > 300, "" + shapes.convolutions().size());
    assertTrue(shapes.attentions().size() > 50, "" + shapes.attentions().size());
    for (DescribedDevice device : DescribedDevice.values()) {
      try (Descriptor properties = device.describe()) {
        shapes.convolutions().forEach((k, models) -> convolution(device, properties, k, models));
        shapes.attentions().forEach((k, models) -> attention(device, properties, k, models));
      }
    }
    Path table = Path.of(System.getProperty("cudnn.table", "target/CUDNN_PLANS.md"));
    Files.writeString(table, text(shapes));
    assertEquals(0, without.size(), () -> "without a plan:\n" + String.join("\n", without));
  }

  /** How types are written, and in which order. */
  private static String name(DType dtype) {
    return switch (dtype) {
      case F16 -> "float16";
      case BF16 -> "bfloat16";
      default -> "float32";
    };
  }

  private static String cells(DType dtype, String rest) {
    return (dtype == DType.F16 ? "0" : dtype == DType.BF16 ? "1" : "2") + name(dtype) + rest;
  }

  private void convolution(
      DescribedDevice device, Descriptor properties, ConvPlans.Key k, Set<String> models) {
    String added =
        "bias" + (k.hasChannelBias() ? ", time" : "") + (k.hasResidual() ? ", residual" : "");
    String kind = k.kernelHeight() + "x" + k.kernelWidth() + " by " + k.geometry().stride();
    String key = cells(k.dtype(), " | " + kind + " | " + added + " | " + widths(k.in(), k.out()));
    Row row = convolutions.computeIfAbsent(key, n -> new Row());
    row.models.addAll(models);
    row.sizes.add(List.of(k.in(), k.out()));
    StringBuilder reasons = new StringBuilder();
    for (Fusion f : Fusion.values()) {
      if (f == Fusion.BIAS && !k.hasChannelBias() && !k.hasResidual()) {
        continue;
      }
      CudnnPlan.Search search = new CudnnPlan.Search(properties, k.dtype() == DType.F32);
      CudnnPlan plan = search.find(ConvPlans.graph(k, f));
      if (plan != null) {
        plan.close();
        row.add(
            device,
            switch (f) {
              case ALL -> "fused";
              case BIAS -> "bias fused";
              case NONE -> "plain";
            });
        return;
      }
      reasons.append(f).append(": ").append(search.reasons());
    }
    row.add(device, "none");
    if (k.dtype() != DType.F32) {
      without.add(device + " " + k + ": " + reasons);
    }
  }

  /** Models' first and last layers are a kind of their own. */
  private static String widths(long in, long out) {
    return in < 32 ? "to " + out : out < 32 ? "from " + in : "";
  }

  private void attention(
      DescribedDevice device, Descriptor properties, SdpaPlans.Key k, Set<String> models) {
    String key =
        cells(
            k.dtype(),
            " | " + String.format("%3d", k.width()) + (k.keys() == 77 ? " | text" : " | picture"));
    Row row = attentions.computeIfAbsent(key, n -> new Row());
    row.models.addAll(models);
    row.sizes.add(List.of(k.heads()));
    if (!k.isEligible()) {
      row.add(device, "ours");
      return;
    }
    CudnnPlan.Search search = new CudnnPlan.Search(properties, false);
    CudnnPlan plan = search.find(SdpaPlans.graph(k));
    if (plan == null) {
      row.add(device, "none");
      without.add(device + " " + k + ": " + search.reasons());
    } else {
      plan.close();
      row.add(device, "yes");
    }
  }

  private String text(PlanShapes shapes) {
    long v = cudnnGetVersion();
    StringBuilder s = new StringBuilder();
    s.append("# cuDNN's plans\n\n");
    s.append("What cuDNN ").append(v / 10000 + "." + v / 100 % 100 + "." + v % 100);
    s.append(" says to what the CUDA backend asks of it, for GPUs that were described to it and");
    s.append(" not there: execution plans were found and\ncompiled, and nothing ran. So this says");
    s.append(" what is supported, and nothing of numbers or speed. Made by\n\n");
    s.append("    ./mvnw -B verify -Pcudnn-plans -Dcudnn.folders=...\n\n");
    s.append("Pictures are squares of ").append(list(PlanShapes.SIZES));
    s.append(" pixels a side, on ").append(list(PlanShapes.RANKS));
    s.append(" ranks, with the batch split and not, all steps, and the VAE's decoder and\n");
    s.append("encoder on one; in bfloat16 and float32 ").append(PlanShapes.OTHER_SIZE);
    s.append(" pixels on one rank. Equal shapes count once: ");
    s.append(shapes.convolutions().size()).append(" convolutions, ");
    s.append(shapes.attentions().size()).append(" attentions. Engines are taken only\n");
    s.append("if results don't change from run to run and sums are kept in float32, in float32");
    s.append(" only those that don't multiply in TF32 or lower.\n\n");
    s.append("## Convolutions\n\n");
    s.append("Those of one pixel are cuBLASLt's. \"by 2\" is the stride. What has more than");
    s.append(" 2^31 elements is convolved in bands of rows, which are the shapes here.\n");
    s.append("\"fused\": all that is added is part of the plan; \"bias fused\": the rest is");
    s.append(" added by a kernel of ours; \"plain\": everything is; \"none\": a product of");
    s.append(" patches.\nA number behind it counts shapes.\n\n");
    s.append("| type | convolution | added | channels | models | shapes | A100 | H100 | B200 |\n");
    s.append("|---|---|---|---|---|---|---|---|---|\n");
    convolutions.forEach((kind, row) -> row(s, kind, pairs(row), row));
    s.append("\n## Attentions\n\n");
    s.append("\"ours\": not asked for, because the backend's own kernel computes it.\n\n");
    s.append("| type | head width | keys | heads | models | shapes | A100 | H100 | B200 |\n");
    s.append("|---|---|---|---|---|---|---|---|---|\n");
    attentions.forEach(
        (kind, row) ->
            row(s, kind + " | ", list(row.sizes.stream().map(l -> l.get(0)).toList()), row));
    return s.toString();
  }

  private static String list(List<?> numbers) {
    return numbers.stream().map(String::valueOf).collect(Collectors.joining(", "));
  }

  /** "320 to 640" where there are few, else the span. */
  private static String pairs(Row row) {
    if (row.sizes.size() <= 3) {
      return row.sizes.stream()
          .map(l -> l.get(0) + " to " + l.get(1))
          .collect(Collectors.joining(", "));
    }
    LongSummaryStatistics all =
        row.sizes.stream().flatMap(List::stream).mapToLong(l -> l).summaryStatistics();
    return row.sizes.size() + " pairs of " + all.getMin() + " .. " + all.getMax();
  }

  private static void row(StringBuilder s, String kind, String sizes, Row row) {
    String cells = kind.substring(1).replaceAll(" +", " ").replaceAll("[|] (to|from) \\d+$", "| ");
    s.append("| ").append(cells.trim()).append(' ').append(sizes);
    s.append(" | ").append(PlanShapes.names(row.models)).append(" | ").append(row.shapes());
    for (DescribedDevice d : DescribedDevice.values()) {
      s.append(" | ").append(row.cell(d));
    }
    s.append(" |\n");
  }
}
