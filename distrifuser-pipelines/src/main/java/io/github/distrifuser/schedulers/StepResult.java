package io.github.distrifuser.schedulers;

import org.jspecify.annotations.Nullable;

/**
 * What one step gives. Upstream: {@code SchedulerOutput} and its kin.
 *
 * @param prevSample the sample at the next, less noisy timestep: the model's next input
 * @param predOriginalSample the clean sample as predicted in this step; null from the schedulers
 *     that report none (PNDM, DPM-Solver, UniPC). LCM gives its denoised sample.
 */
public record StepResult(float[] prevSample, float @Nullable [] predOriginalSample) {}
