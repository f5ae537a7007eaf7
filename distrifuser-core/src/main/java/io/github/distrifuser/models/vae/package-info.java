/** diffusers' AutoencoderKL. */
@NullMarked
package io.github.distrifuser.models.vae;

import org.jspecify.annotations.NullMarked;
