/**
 * Layers, named as in diffusers, and the seams at which parallel layers take their place. They know
 * backends by their interface and nothing of ranks.
 *
 * <p>A layer's forward returns a tensor that the caller closes, unless it says that it works in
 * place.
 */
@NullMarked
package io.github.distrifuser.nn;

import org.jspecify.annotations.NullMarked;
