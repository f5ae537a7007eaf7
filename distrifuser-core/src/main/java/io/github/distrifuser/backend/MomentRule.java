package io.github.distrifuser.backend;

/** How the moments of an image are made of those of its patches. */
public enum MomentRule {
  /** All are of this step: the weighted mean. */
  FRESH,
  /** The others' are of the step before: the weighted mean of those and the own fresh ones. */
  STALE,
  /** All are of the step before: their weighted mean, plus what the own ones have changed since. */
  CORRECTED
}
