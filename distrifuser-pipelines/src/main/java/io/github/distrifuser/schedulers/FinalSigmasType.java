package io.github.distrifuser.schedulers;

import java.util.Locale;

/** The noise level after the last step: {@code final_sigmas_type}. */
public enum FinalSigmasType {
  /** None. */
  ZERO,
  /** That of the first training step. */
  SIGMA_MIN;

  /** As configurations spell it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
