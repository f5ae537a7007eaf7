package io.github.distrifuser.schedulers;

import java.util.ArrayList;
import java.util.List;

/** Which rule places a run's noise levels: the {@code use_..._sigmas} flags, one at most. */
public enum SigmaSpacing {
  /** The levels of the chosen timesteps. */
  TIMESTEPS(""),
  /** Evenly in the seventh root, after Karras and others. */
  KARRAS("use_karras_sigmas"),
  /** Evenly in the logarithm. */
  EXPONENTIAL("use_exponential_sigmas"),
  /** Quantiles of the beta distribution with both parameters 0.6. */
  BETA("use_beta_sigmas"),
  /** Evenly in log-SNR, after Lu and others; DPM-Solver only. */
  LU("use_lu_lambdas");

  private final String key;

  SigmaSpacing(String key) {
    this.key = key;
  }

  /** The flag in a configuration; empty for {@link #TIMESTEPS}. */
  @Override
  public String toString() {
    return key;
  }

  /** Reads these flags, of which one at most may be true. */
  static SigmaSpacing of(SchedulerConfig config, SigmaSpacing... flags) {
    List<SigmaSpacing> set = new ArrayList<>();
    for (SigmaSpacing f : flags) {
      if (config.flag(f.key, false)) {
        set.add(f);
      }
    }
    if (set.size() > 1) {
      throw config.error("only one of " + set + " can be true");
    }
    return set.isEmpty() ? TIMESTEPS : set.get(0);
  }
}
