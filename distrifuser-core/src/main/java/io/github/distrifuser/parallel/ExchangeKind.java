package io.github.distrifuser.parallel;

/** What a message of the exchange carries. */
public enum ExchangeKind {
  /** Boundary rows of a convolution's input, to the neighbours. */
  HALO,
  /** Keys and values of self-attention, to all ranks of the image. */
  KEY_VALUE,
  /** Group moments, to all ranks of the image. */
  MOMENTS,
  /** The noise prediction, to all ranks. */
  PREDICTION
}
