package io.github.distrifuser.parallel;

/** How a call of the model treats the other patches' activations. */
public enum StepPhase {
  /** Fresh, exchanged before each layer goes on. */
  SYNCHRONOUS,
  /** As {@link #ASYNCHRONOUS}, the first in a generation: a message may be left out. */
  FIRST_ASYNCHRONOUS,
  /** Of the step before; the own fresh ones are sent for the next step. */
  ASYNCHRONOUS;

  /** The phase of a generation's step, counted from 0. */
  static StepPhase of(int step, int warmupSteps) {
    if (step <= warmupSteps) {
      return SYNCHRONOUS;
    }
    return step == warmupSteps + 1 ? FIRST_ASYNCHRONOUS : ASYNCHRONOUS;
  }
}
