package io.github.distrifuser.pipelines;

/**
 * Called at the end of each denoising step, diffusers' {@code callback_on_step_end}. With ranks as
 * processes it is called on every rank, and must do the same on all.
 */
@FunctionalInterface
public interface StepCallback {
  void onStepEnd(StepState state);
}
