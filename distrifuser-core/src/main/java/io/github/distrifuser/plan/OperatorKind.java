package io.github.distrifuser.plan;

/** What an operator does, as far as its speed depends on it. */
public enum OperatorKind {
  /** Convolutions of more than one pixel. */
  CONVOLUTION,
  /** Products with a weight, 1 x 1 convolutions among them. */
  LINEAR,
  /** Both products of attention and the softmax between them. */
  ATTENTION,
  /** Norms and their moments. */
  NORM,
  /** Sums, activations, copies, enlargements: bound by memory. */
  ELEMENTWISE,
  /** Numbers that go to or come from the host. */
  HOST;

  /** The name that reports use. */
  public String reportName() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }
}
