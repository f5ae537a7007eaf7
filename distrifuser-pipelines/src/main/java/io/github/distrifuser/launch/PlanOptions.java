package io.github.distrifuser.launch;

import io.github.distrifuser.plan.KnownDevice;
import io.github.distrifuser.plan.KnownLink;
import io.github.distrifuser.plots.Figure;
import io.github.distrifuser.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The options of plan. */
@Command(sortOptions = false, mixinStandardHelpOptions = false)
final class PlanOptions extends WorkloadOptions {
  private static final int MOST_RANKS = 64;

  @Option(names = "--num_inference_steps", description = "denoising steps (${DEFAULT-VALUE})")
  int numInferenceSteps = 50;

  @Option(names = "--warmup_steps", description = "synchronous steps (${DEFAULT-VALUE})")
  int warmupSteps = 4;

  @Option(names = "--ranks", description = "numbers of ranks, up to 64 (${DEFAULT-VALUE})")
  String ranks = "1,2,4,8";

  @Option(
      names = "--device",
      description = "A100 (default), H100, H200, RTX 3090, RTX 4090 or L4, one a rank")
  @Nullable String device;

  @Option(names = "--link", description = "nvlink (default), pcie4 or ethernet (100 Gb)")
  @Nullable String link;

  @Option(
      names = "--dtype",
      converter = Converters.DTypeOf.class,
      description = "float16 (default; float32 with --calibrate), bfloat16 or float32")
  @Nullable DType dtype;

  @Option(
      names = "--one_device_latency",
      description = "seconds of all steps on one device, as measured: fits the efficiency to it")
  @Nullable Double oneDeviceLatency;

  @Option(
      names = "--calibrate",
      description =
          "plan for the CPUs of this machine: plays each number of ranks, at most two a core, here for"
              + " a few steps, which takes as much memory as they do")
  boolean calibrate;

  @Option(names = "--report", description = "JSON of the table")
  @Nullable Path report;

  @Option(names = "--plot", description = "latency and speed-up against ranks, .png or .svg")
  @Nullable Path plot;

  @Override
  public void check() {
    super.check();
    require(
        numInferenceSteps >= 1,
        "--num_inference_steps must be positive, found " + numInferenceSteps);
    require(warmupSteps >= 0, "--warmup_steps must not be negative, found " + warmupSteps);
    require(
        oneDeviceLatency == null || oneDeviceLatency > 0,
        "--one_device_latency must be positive, found " + oneDeviceLatency);
    ranks();
    if (plot != null) {
      Figure.check(plot);
    }
    if (calibrate) {
      require(
          device == null || device.equals("cpu"),
          "--calibrate measures this machine's CPUs: leave --device " + device + " out");
      require(link == null, "--calibrate measures this machine: leave --link " + link + " out");
      require(oneDeviceLatency == null, "--calibrate and --one_device_latency exclude each other");
    } else {
      require(
          !"cpu".equals(device),
          "--device cpu needs --calibrate: CPUs are measured, not looked up");
      knownLink().between(knownDevice());
    }
  }

  List<Integer> ranks() {
    return ranks("--ranks", ranks, MOST_RANKS);
  }

  KnownDevice knownDevice() {
    return device == null ? KnownDevice.A100 : KnownDevice.of(device);
  }

  KnownLink knownLink() {
    return link == null ? KnownLink.NVLINK : KnownLink.of(link);
  }

  DType dtype() {
    return dtype != null ? dtype : calibrate ? DType.F32 : DType.F16;
  }
}
