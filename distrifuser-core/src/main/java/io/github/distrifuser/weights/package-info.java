/**
 * Weights as they are found on disk: safetensors files, shard indexes, state dicts. Nothing here
 * computes.
 */
@NullMarked
package io.github.distrifuser.weights;

import org.jspecify.annotations.NullMarked;
