package io.github.distrifuser.pipelines;

import io.github.distrifuser.image.GeneratedImage;
import io.github.distrifuser.tensor.NdArray;
import java.util.List;

/**
 * What a generation gives.
 *
 * @param images pictures, prompt by prompt; empty for {@link OutputType#LATENT}, and on ranks other
 *     than 0 where ranks are processes, since one rank decodes
 * @param latents the last latents, {@code [n, 4, h/8, w/8]}, on every rank
 * @param interrupted whether a callback ended the loop early
 * @param report times
 */
public record PipelineOutput(
    List<GeneratedImage> images, NdArray latents, boolean interrupted, RunReport report) {}
