package io.github.distrifuser.examples;

import io.github.distrifuser.parallel.DistriConfig;
import io.github.distrifuser.pipelines.DistriPipeline;
import io.github.distrifuser.pipelines.GenerationRequest;
import io.github.distrifuser.pipelines.LoadOptions;
import io.github.distrifuser.pipelines.PipelineOutput;
import io.github.distrifuser.pipelines.Pipelines;
import io.github.distrifuser.progress.ProgressReporter;
import io.github.distrifuser.random.TorchGenerator;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A program like README's, in which one rank comes to grief: {@code MODEL PICTURE PARALLELISM
 * FAULT}, where the fault is {@code none}, or {@code RANK:WHAT:STEP}: {@code kill} (signal 9),
 * {@code stop} (signal 19), {@code throw}, {@code memory}, {@code exit}, {@code slow} (every step
 * takes half a second, on all ranks, from that one on).
 */
public final class FaultyGeneration {
  static final int STEPS = 8;

  /** What a rank prints right before, followed by the time of day in ms. */
  static final String MARK = "fault at ";

  private FaultyGeneration() {}

  public static void main(String[] args) {
    DistriConfig config =
        DistriConfig.builder()
            .height(128)
            .width(128)
            .warmupSteps(1)
            .splitBatch(false)
            .parallelism(args[2])
            .build();
    LoadOptions options = LoadOptions.builder().threads(1).build();
    try (DistriPipeline pipeline = Pipelines.fromPretrained(config, args[0], options)) {
      pipeline.setProgressBarConfig(ProgressReporter.Config.disable(true));
      PipelineOutput out =
          pipeline.generate(
              GenerationRequest.builder()
                  .prompt("a lighthouse")
                  .numInferenceSteps(STEPS)
                  .generator(new TorchGenerator(7))
                  .callbackOnStepEnd(s -> comeToGrief(args[3], pipeline.rank(), s.step()))
                  .build());
      if (pipeline.rank() == 0) {
        out.images().get(0).save(Path.of(args[1]));
      }
      System.out.println("done");
    }
  }

  private static void comeToGrief(String fault, int rank, int step) {
    String[] parts = fault.split(":");
    if (parts.length < 3 || step < Integer.parseInt(parts[2])) {
      return;
    }
    if (parts[1].equals("slow")) {
      System.err.println(MARK + System.currentTimeMillis());
      pause(500);
      return;
    }
    if (rank != Integer.parseInt(parts[0])) {
      return;
    }
    System.err.println(MARK + System.currentTimeMillis());
    switch (parts[1]) {
      case "kill" -> signal("KILL");
      case "stop" -> signal("STOP");
      case "throw" -> throw new IllegalStateException("as told");
      case "exit" -> System.exit(5);
      case "memory" -> {
        List<long[]> hoard = new ArrayList<>();
        while (hoard.size() >= 0) {
          hoard.add(new long[1 << 20]);
        }
      }
      default -> throw new IllegalArgumentException(fault);
    }
  }

  private static void signal(String name) {
    pause(100); // for the mark to be read
    try {
      new ProcessBuilder("bash", "-c", "kill -" + name + " " + ProcessHandle.current().pid())
          .start()
          .waitFor();
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
    pause(1000); // it may take effect after the call
  }

  private static void pause(long ms) {
    try {
      Thread.sleep(ms);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
