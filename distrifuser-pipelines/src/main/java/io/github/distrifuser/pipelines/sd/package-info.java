/** Stable Diffusion 1.x and 2.x. */
@NullMarked
package io.github.distrifuser.pipelines.sd;

import org.jspecify.annotations.NullMarked;
