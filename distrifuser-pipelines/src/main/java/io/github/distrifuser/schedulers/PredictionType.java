package io.github.distrifuser.schedulers;

import java.util.Locale;

/** What the model predicts: {@code prediction_type} of a configuration. */
public enum PredictionType {
  /** The noise. */
  EPSILON,
  /** The clean sample. */
  SAMPLE,
  /** The velocity of progressive distillation, a mixture of both. */
  V_PREDICTION;

  /** As configurations spell it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
