/**
 * The pipelines' common ground: what a call may ask, how models are loaded, how prompts are
 * encoded, the denoising loop. The pipelines themselves are in {@code .sdxl} and {@code .sd}.
 */
@NullMarked
package io.github.distrifuser.pipelines;

import org.jspecify.annotations.NullMarked;
