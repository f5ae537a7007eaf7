package io.github.distrifuser.schedulers;

import java.util.Locale;

/** How Euler finds noise levels between training steps: {@code interpolation_type}. */
public enum InterpolationType {
  /** Linear in the timestep. */
  LINEAR,
  /** Evenly in the logarithm from the highest level to the lowest. */
  LOG_LINEAR;

  /** As configurations spell it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
