package io.github.distrifuser.schedulers;

import java.util.Locale;

/** How much fresh noise DDPM adds in a step: {@code variance_type}. */
public enum VarianceType {
  /** The posterior's variance. */
  FIXED_SMALL,
  /** The same, by way of its logarithm. */
  FIXED_SMALL_LOG,
  /** The variance of the forward step. */
  FIXED_LARGE;

  /** As configurations spell it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
