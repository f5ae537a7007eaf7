package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudnn.cudnnGetVersion;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.cuda.ConvPlans.Fusion;
import io.github.distrifuser.cuda.CudnnGraph.Descriptor;
import io.github.distrifuser.cuda.standin.Standin;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
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

  /** How many shapes of a row ended how on a device: fusion, or none. */
  private record Row(Set<String> models, Map<DescribedDevice, Map<String, Integer>> results) {
    Row() {
      this(new TreeSet<>(), new EnumMap<>(DescribedDevice.class));
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

  private void convolution(
      DescribedDevice device, Descriptor properties, ConvPlans.Key k, Set<String> models) {
    String kind =
        k.kernelHeight()
            + "x"
            + k.kernelWidth()
            + " stride "
            + k.geometry().stride()
            + String.format(" | %4d to %4d", k.in(), k.out())
            + " | bias"
            + (k.hasChannelBias() ? ", time" : "")
            + (k.hasResidual() ? ", residual" : "");
    Row row = convolutions.computeIfAbsent(kind, n -> new Row());
    row.models.addAll(models);
    StringBuilder reasons = new StringBuilder();
    for (Fusion f : Fusion.values()) {
      if (f == Fusion.BIAS && !k.hasChannelBias() && !k.hasResidual()) {
        continue;
      }
      CudnnPlan.Search search = new CudnnPlan.Search(properties, false);
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
    without.add(device + " " + k + ": " + reasons);
  }

  private void attention(
      DescribedDevice device, Descriptor properties, SdpaPlans.Key k, Set<String> models) {
    String kind =
        String.format("%3d | %d", k.width(), k.heads()) + (k.keys() == 77 ? " | text" : " | image");
    Row row = attentions.computeIfAbsent(kind, n -> new Row());
    row.models.addAll(models);
    CudnnPlan.Search search = new CudnnPlan.Search(properties, false);
    CudnnPlan plan = k.isEligible() ? search.find(SdpaPlans.graph(k)) : null;
    if (plan == null) {
      row.add(device, "none");
      without.add(device + " " + k + ": " + search.reasons());
    } else {
      plan.close();
      row.add(device, "yes");
    }
  }

  private String text(PlanShapes shapes) {
    StringBuilder s = new StringBuilder();
    s.append("# cuDNN's plans\n\n");
    s.append("Made by `./mvnw verify -Pcudnn-plans -Dcudnn.folders=...` with cuDNN ");
    long v = cudnnGetVersion();
    s.append(v / 10000 + "." + v / 100 % 100 + "." + v % 100);
    s.append(", for GPUs that were described and not there: plans were found and compiled, and");
    s.append(" nothing ran.\n\n");
    s.append("float16, pictures of ").append(PlanShapes.SIZES).append(" pixels a side on ");
    s.append(PlanShapes.RANKS).append(" ranks, with the batch split and not, all steps. Equal");
    s.append(" shapes count once: ").append(shapes.convolutions().size());
    s.append(" convolutions, ").append(shapes.attentions().size()).append(" attentions.");
    s.append(" Convolutions of one pixel are cuBLASLt's. The VAE up to 2048 pixels: above, its");
    s.append(" tensors have more than 2^31 elements, and it works in tiles of smaller shapes.\n\n");
    s.append("\"fused\": all that is added is part of the plan; \"bias fused\": the rest is added");
    s.append(" by a kernel of ours; \"plain\": everything is; \"none\": a product of patches.\n\n");
    s.append("| convolution | channels | added | models | shapes | A100 | H100 | B200 |\n");
    s.append("|---|---|---|---|---|---|---|---|\n");
    rows(s, convolutions);
    s.append("\n| head width | heads | keys | models | shapes | A100 | H100 | B200 |\n");
    s.append("|---|---|---|---|---|---|---|---|\n");
    rows(s, attentions);
    return s.toString();
  }

  private static void rows(StringBuilder s, Map<String, Row> rows) {
    rows.forEach(
        (kind, row) -> {
          s.append("| ").append(kind.replaceAll(" +", " ").trim());
          s.append(" | ").append(PlanShapes.names(row.models)).append(" | ").append(row.shapes());
          for (DescribedDevice d : DescribedDevice.values()) {
            s.append(" | ").append(row.cell(d));
          }
          s.append(" |\n");
        });
  }
}
