package io.github.distrifuser.launch;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.distrifuser.coco.CaptionsFile;
import io.github.distrifuser.coco.CocoPicture;
import io.github.distrifuser.pipelines.DistriPipeline;
import io.github.distrifuser.pipelines.GenerationRequest;
import io.github.distrifuser.pipelines.PipelineOutput;
import io.github.distrifuser.progress.ProgressLog;
import io.github.distrifuser.progress.ProgressReporter;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The original's generate_coco.py: draws a picture for each caption. It may be ended at any moment
 * and started again: pictures that are whole are left as they are, all others are drawn, each from
 * a seed of its own, so that the files come out the same, byte for byte.
 */
public final class GenerateCocoCommand {
  private final GenerateCocoOptions options;
  private final List<String> prompts; // of this part
  private final int begin;

  private GenerateCocoCommand(GenerateCocoOptions options) {
    this.options = options;
    Targets.input("--captions", options.captions);
    List<CocoPicture> all = CaptionsFile.read(options.captions);
    int[] range = options.range(all.size());
    this.begin = range[0];
    this.prompts = new ArrayList<>();
    for (int i = range[0]; i < range[1]; i++) {
      prompts.add(all.get(i).prompt(i));
    }
  }

  /**
   * Runs generate_coco.
   *
   * @return the exit status: 0 done, 2 the command line is wrong, 1 anything else
   */
  public static int run(String[] args) {
    return CommandLineTool.run(
        "generate_coco",
        new GenerateCocoOptions(),
        args,
        o -> PipelineRun.run(o, new GenerateCocoCommand(o)::run));
  }

  private void run(DistriPipeline pipeline, double loadSeconds) {
    GenerationRequest template = template(pipeline);
    Path root = options.outputRoot(pipeline.worldSize());
    CocoFolder folder =
        new CocoFolder(root, size(template.height()), size(template.width()), settings(pipeline));
    pipeline.setProgressBarConfig(ProgressReporter.Config.disable(true));
    int[] missing = missing(pipeline, folder);
    boolean first = pipeline.rank() == 0;
    if (first && missing.length < prompts.size()) {
      System.err.printf(
          "%s: %d of %d images are there%n", root, prompts.size() - missing.length, prompts.size());
    }
    try (ProgressLog log = first ? ProgressLog.start("images", missing.length) : null) {
      for (int number : missing) {
        draw(pipeline, template, folder, number);
        if (log != null) {
          log.step();
        }
      }
    }
    if (first) {
      System.out.printf("%s: %d images%n", root, prompts.size());
    }
  }

  private static int size(Integer n) {
    return n;
  }

  private GenerationRequest template(DistriPipeline pipeline) {
    try {
      return options.requestBuilder(pipeline.defaultSize()).prompt("").build();
    } catch (IllegalArgumentException e) {
      throw new CommandLineTool.UsageException(e);
    }
  }

  private void draw(
      DistriPipeline pipeline, GenerationRequest template, CocoFolder folder, int number) {
    PipelineOutput out =
        pipeline.generate(
            template.toBuilder()
                .prompt(prompts.get(number - begin))
                .generator(options.generator(options.seed + number))
                .build());
    PipelineRun.expectResults(pipeline);
    if (pipeline.rank() == 0) {
      folder.save(number, out.images().get(0));
    }
    PipelineRun.resultsWritten(pipeline);
  }

  /** Rank 0 looks and tells the others: only it need see the folder. */
  private int[] missing(DistriPipeline pipeline, CocoFolder folder) {
    pipeline.communicator().progress("looking at the pictures that are there");
    PipelineRun.expectResults(pipeline);
    byte[] mine = new byte[0];
    if (pipeline.rank() == 0) {
      List<Integer> numbers = folder.missing(begin, prompts, options.seed);
      ByteBuffer b = ByteBuffer.allocate(Integer.BYTES * numbers.size());
      numbers.forEach(b::putInt);
      mine = b.array();
    }
    byte[] all = pipeline.communicator().allGatherBytes(mine).get(0);
    PipelineRun.resultsWritten(pipeline);
    int[] missing = new int[all.length / Integer.BYTES];
    ByteBuffer.wrap(all).asIntBuffer().get(missing);
    return missing;
  }

  /** What decides a picture besides its prompt, its seed and its size. */
  private ObjectNode settings(DistriPipeline pipeline) {
    ObjectNode n = new JsonMapper().createObjectNode();
    n.put("model", pipeline.parts().modelName());
    n.put("revision", options.revision);
    n.put("variant", options.variant);
    n.put("winograd", options.winograd.name());
    n.put("dtype", pipeline.parts().dtype().torchName());
    n.put("ranks", pipeline.worldSize());
    n.put("parallelism", options.parallelism.optionName());
    n.put("split_batch", !options.noSplitBatch);
    n.put("warmup_steps", options.warmupSteps);
    n.put("sync_mode", options.syncMode.optionName());
    n.put("split_scheme", options.splitScheme.optionName());
    n.put("scheduler", options.scheduler.cliName());
    n.put("num_inference_steps", options.numInferenceSteps);
    n.put("guidance_scale", "" + options.guidanceScale);
    n.put("guidance_rescale", options.guidanceRescale);
    n.put("eta", options.eta);
    n.put("clip_skip", "" + options.clipSkip);
    n.put("long_prompts", options.longPrompts);
    n.put("negative_prompt", "" + options.negativePrompt);
    n.put("negative_prompt_2", "" + options.negativePrompt2);
    n.put("generator", options.generator.name());
    return n;
  }
}
