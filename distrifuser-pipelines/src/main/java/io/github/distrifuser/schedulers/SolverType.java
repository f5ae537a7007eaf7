package io.github.distrifuser.schedulers;

import java.util.Locale;

/** Variant of a multistep solver's update: {@code solver_type}. */
public enum SolverType {
  /** DPM-Solver's default. */
  MIDPOINT,
  /** DPM-Solver's other second-order update. */
  HEUN,
  /** UniPC with B(h) = h. */
  BH1,
  /** UniPC with B(h) = exp(h) - 1, its default. */
  BH2;

  /** As configurations spell it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
