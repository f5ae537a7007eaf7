/** What pipelines call: models as whole things, and the {@code Denoiser} that hides how many ranks work. */
@NullMarked
package io.github.distrifuser.models;

import org.jspecify.annotations.NullMarked;
