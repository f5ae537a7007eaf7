/**
 * Weights and settings as they are found on disk: model folders, safetensors files, shard indexes,
 * state dicts, JSON configurations. Nothing here computes.
 */
@NullMarked
package io.github.distrifuser.weights;

import org.jspecify.annotations.NullMarked;
