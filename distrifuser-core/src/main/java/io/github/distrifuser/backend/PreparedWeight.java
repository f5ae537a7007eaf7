package io.github.distrifuser.backend;

import io.github.distrifuser.tensor.Shape;

/**
 * A layer's weight (and bias) in the form that a backend computes with, made once by {@code
 * Backend.prepare...} and opaque to everyone else. Immutable, and usable by every backend of the
 * same provider and device, so that ranks that are threads of one JVM share it. Closing is
 * idempotent.
 */
public interface PreparedWeight extends AutoCloseable {

  /** State-dict key of the module, as in {@code mid_block.attentions.0.proj_in}. */
  String name();

  /** Shape of the weight as torch has it, parts concatenated: {@code [out, in]} and so on. */
  Shape shape();

  /** Bytes that this object keeps, mapped file pages included. */
  long bytes();

  /**
   * Output rows {@code [from, to)} of a linear weight with their part of the bias: shares memory
   * with this one and need not be closed. The range must be a union of neighbouring parts that the
   * weight was prepared with.
   *
   * @throws UnsupportedOperationException for weights that are not linear
   */
  PreparedWeight rows(long from, long to);

  @Override
  void close();
}
