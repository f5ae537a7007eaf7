package io.github.distrifuser.pipelines;

import io.github.distrifuser.models.Denoiser;
import io.github.distrifuser.models.DenoiserInputs;
import io.github.distrifuser.random.Generator;
import io.github.distrifuser.schedulers.Scheduler;
import io.github.distrifuser.schedulers.StepOptions;
import io.github.distrifuser.tensor.NdArray;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The loop of a generation: the same for every pipeline and on every rank. */
final class DenoisingLoop {
  private final Denoiser denoiser;
  private final Scheduler scheduler;
  private final GenerationRequest request;
  private final Conditioning conditioning;
  private final double guidanceScale;
  private final List<Generator> generators;
  private final double[] timesteps;
  private final List<Double> stepSeconds = new ArrayList<>();
  private boolean interrupted;

  DenoisingLoop(
      Denoiser denoiser,
      Scheduler scheduler,
      GenerationRequest request,
      Conditioning conditioning,
      double guidanceScale,
      List<Generator> generators) {
    this.denoiser = denoiser;
    this.scheduler = scheduler;
    this.request = request;
    this.conditioning = conditioning;
    this.guidanceScale = guidanceScale;
    this.generators = generators;
    this.timesteps = cut(scheduler, request.denoisingEnd());
  }

  /** Timesteps down to where {@code denoising_end} says to stop. */
  private static double[] cut(Scheduler scheduler, @Nullable Double end) {
    double[] all = scheduler.timesteps();
    if (end == null || end <= 0 || end >= 1) {
      return all;
    }
    Object trained = scheduler.config().values().get("num_train_timesteps");
    double total = trained instanceof Number x ? x.doubleValue() : 1000;
    double cutoff = Math.rint(total - end * total);
    List<Double> kept = new ArrayList<>();
    for (double t : all) {
      if (t >= cutoff) {
        kept.add(t);
      }
    }
    return kept.stream().mapToDouble(Double::doubleValue).toArray();
  }

  /** Number of calls of the model. */
  int calls() {
    return timesteps.length;
  }

  List<Double> stepSeconds() {
    return stepSeconds;
  }

  boolean isInterrupted() {
    return interrupted;
  }

  /**
   * Runs the loop.
   *
   * @param start scaled noise, {@code [n, c, h, w]}
   * @param embeds repeated for each picture
   * @param callbackTensors names of the tensors that the pipeline's callbacks may have
   * @param beforeStep told the number of each step that begins
   * @param afterStep told the number of each step that is done
   * @param deadlineNanos {@code System.nanoTime()} to be done by, or null
   * @return the last latents
   * @throws CancellationException where the thread is interrupted or the deadline passes
   */
  NdArray run(
      NdArray start,
      PromptEmbeds embeds,
      List<String> callbackTensors,
      Consumer<Integer> beforeStep,
      Consumer<Integer> afterStep,
      @Nullable Long deadlineNanos) {
    DenoiserInputs inputs = conditioning.inputs(embeds);
    StepTensors tensors =
        new StepTensors(callbackTensors, request.callbackOnStepEndTensorInputs(), inputs, embeds);
    denoiser.begin(inputs);
    NdArray last;
    try {
      last = steps(start, inputs, tensors, beforeStep, afterStep, deadlineNanos);
    } catch (RuntimeException | Error e) {
      try {
        denoiser.end();
      } catch (RuntimeException again) {
        e.addSuppressed(again);
      }
      throw e;
    }
    denoiser.end();
    return last;
  }

  private NdArray steps(
      NdArray start,
      DenoiserInputs begun,
      StepTensors tensors,
      Consumer<Integer> beforeStep,
      Consumer<Integer> afterStep,
      @Nullable Long deadlineNanos) {
    NdArray latents = start;
    DenoiserInputs inputs = begun;
    StepOptions options = StepOptions.of(latents.shape(), generators).withEta(request.eta());
    for (int i = 0; i < timesteps.length && !interrupted; i++) {
      checkCancelled(i, deadlineNanos);
      beforeStep.accept(i);
      long begin = System.nanoTime();
      latents = step(latents, timesteps[i], options);
      StepCallback callback = request.callbackOnStepEnd();
      if (callback != null) {
        StepState state = new StepState(i, timesteps.length, timesteps[i], latents, tensors);
        callback.onStepEnd(state);
        latents = state.latents();
        if (!state.replaced().isEmpty()) {
          inputs = tensors.replace(state.replaced(), inputs);
          denoiser.replaceEmbeddings(inputs);
        }
        interrupted = state.isInterrupted();
      }
      stepSeconds.add((System.nanoTime() - begin) * 1e-9);
      afterStep.accept(i);
    }
    return latents;
  }

  private NdArray step(NdArray latents, double t, StepOptions options) {
    NdArray scaled = new NdArray(scheduler.scaleModelInput(latents.data(), t), latents.shape());
    NdArray input = conditioning.guidance() ? NdArray.concat(List.of(scaled, scaled)) : scaled;
    NdArray predicted = denoiser.predict(input, (float) t);
    NdArray noise =
        conditioning.guidance()
            ? Guidance.apply(predicted, guidanceScale, request.guidanceRescale())
            : predicted;
    return new NdArray(
        scheduler.step(noise.data(), t, latents.data(), options).prevSample(), latents.shape());
  }

  private static void checkCancelled(int step, @Nullable Long deadlineNanos) {
    if (Thread.interrupted()) {
      throw new CancellationException("the generation was cancelled before step " + step);
    }
    if (deadlineNanos != null && System.nanoTime() - deadlineNanos > 0) {
      throw new CancellationException("the deadline passed before step " + step);
    }
  }
}
