package io.github.distrifuser.backend;

/** Activations that an operator can fuse. */
public enum Activation {
  NONE,
  /** x * sigmoid(x), torch's SiLU. */
  SILU,
  /** Exact GELU with the error function, torch's default. */
  GELU,
  /** GELU's tanh approximation. */
  GELU_TANH,
  /** x * sigmoid(1.702 x), as in CLIP. */
  QUICK_GELU,
  RELU
}
