package io.github.distrifuser.backend;

import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;

/** How a tensor lies in the memory of a larger one. */
public enum Layout {
  DENSE,
  /** Gaps between batch entries: rows 2.. of dimension 1, with two rows before and one after. */
  GAPPED,
  /** Gaps between rows: columns 3.. of the last dimension, with three before and two after. */
  SPACED,
  /** Both. */
  SPACED_GAPPED;

  /** Shape of the larger tensor. */
  Shape around(Shape inner) {
    Shape s = inner;
    if (this == GAPPED || this == SPACED_GAPPED) {
      s = s.with(1, s.dim(1) + 3);
    }
    if (this == SPACED || this == SPACED_GAPPED) {
      s = s.with(-1, s.dim(-1) + 5);
    }
    return s;
  }

  /** The part of the larger tensor that has the wanted shape. */
  Tensor within(Tensor outer, Shape inner) {
    Tensor t = outer;
    if (this == GAPPED || this == SPACED_GAPPED) {
      t = t.slice(1, 2, 2 + inner.dim(1));
    }
    if (this == SPACED || this == SPACED_GAPPED) {
      t = t.slice(-1, 3, 3 + inner.dim(-1));
    }
    return t;
  }
}
