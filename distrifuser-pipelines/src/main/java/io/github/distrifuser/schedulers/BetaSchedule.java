package io.github.distrifuser.schedulers;

import java.util.Locale;

/** How noise variances grow over the training steps: {@code beta_schedule}. */
public enum BetaSchedule {
  /** Evenly from {@code beta_start} to {@code beta_end}. */
  LINEAR,
  /** Their square roots grow evenly, as in latent diffusion. */
  SCALED_LINEAR,
  /** Cosine. */
  SQUAREDCOS_CAP_V2,
  /** Exponential; Heun only. */
  EXP,
  /** Laplace; DDPM only. */
  LAPLACE,
  /** Sigmoid between the two ends; DDPM only. */
  SIGMOID;

  /** As configurations spell it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
