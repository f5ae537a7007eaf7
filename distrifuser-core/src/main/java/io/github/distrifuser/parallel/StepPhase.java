package io.github.distrifuser.parallel;

/** How a call of the model treats the other patches' activations. */
public enum StepPhase {
  /** Fresh, exchanged before each layer goes on. */
  SYNCHRONOUS,
  /** Of the step before; the own fresh ones are sent for the next step. */
  ASYNCHRONOUS
}
