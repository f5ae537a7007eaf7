/**
 * What pipelines call: models as whole things, and the denoiser that hides how many ranks work on
 * it.
 */
@NullMarked
package io.github.distrifuser.models;

import org.jspecify.annotations.NullMarked;
