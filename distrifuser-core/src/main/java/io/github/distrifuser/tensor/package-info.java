/**
 * Shapes, element types and tensors: a strided view over a piece of memory that some backend owns.
 *
 * <p>Nothing here computes or names a backend.
 */
@NullMarked
package io.github.distrifuser.tensor;

import org.jspecify.annotations.NullMarked;
