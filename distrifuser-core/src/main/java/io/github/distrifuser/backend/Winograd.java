package io.github.distrifuser.backend;

/**
 * Whether convolutions of 3 x 3 may be done by Winograd's minimal filtering (Lavin and Gray, 2016),
 * which multiplies a quarter as often, in float32 with a relative error of a few millionths.
 */
public enum Winograd {
  /** Where the backend has it, and it was measured to be faster for the shape at hand. */
  AUTO,
  /** Nowhere. */
  OFF
}
