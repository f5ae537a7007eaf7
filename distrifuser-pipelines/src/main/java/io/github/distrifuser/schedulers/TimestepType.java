package io.github.distrifuser.schedulers;

import java.util.Locale;

/** What Euler tells the model about time: {@code timestep_type}. */
public enum TimestepType {
  /** The training step. */
  DISCRETE,
  /** A quarter of the noise level's logarithm, with v-prediction only. */
  CONTINUOUS;

  /** As configurations spell it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
