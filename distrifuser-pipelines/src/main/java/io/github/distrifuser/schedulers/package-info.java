/**
 * Noise schedulers with the names, configurations and numbers of diffusers: a scheduler chooses the
 * timesteps of a run and turns each prediction of the model into the next sample.
 *
 * <p>Samples are host arrays in NCHW order; arithmetic is float32, operation by operation as torch
 * does it, so that trajectories agree to rounding. {@link
 * io.github.distrifuser.schedulers.Schedulers} builds them from the content of a {@code
 * scheduler_config.json}. Nothing here knows a model, a device or a rank.
 */
@NullMarked
package io.github.distrifuser.schedulers;

import org.jspecify.annotations.NullMarked;
