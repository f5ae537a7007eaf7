/** diffusers' UNet2DConditionModel of SD 1.x, SD 2.x and SDXL. Knows nothing of ranks. */
@NullMarked
package io.github.distrifuser.models.unet;

import org.jspecify.annotations.NullMarked;
