package io.github.distrifuser.schedulers;

import java.util.Locale;

/** How a run's timesteps lie among the training steps: {@code timestep_spacing}. */
public enum TimestepSpacing {
  /** Evenly over the whole range, both ends included. */
  LINSPACE,
  /** Multiples of a whole step counted from 0, plus {@code steps_offset}. */
  LEADING,
  /** Counted down from the last training step. */
  TRAILING;

  /** As configurations spell it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
