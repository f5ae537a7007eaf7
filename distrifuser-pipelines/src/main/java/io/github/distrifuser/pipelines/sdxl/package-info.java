/** Stable Diffusion XL. */
@NullMarked
package io.github.distrifuser.pipelines.sdxl;

import org.jspecify.annotations.NullMarked;
