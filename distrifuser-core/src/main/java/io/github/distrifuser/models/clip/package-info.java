/** transformers' CLIPTextModel and CLIPTextModelWithProjection. */
@NullMarked
package io.github.distrifuser.models.clip;

import org.jspecify.annotations.NullMarked;
