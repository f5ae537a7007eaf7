package io.github.distrifuser.backend;

import io.github.distrifuser.tensor.DType;

/**
 * How a backend is to be made.
 *
 * @param dtype type of activations and arithmetic
 * @param threads CPU threads of this rank; 0 for the provider's default
 * @param deviceIndex which device of the provider's kind
 * @param winograd how convolutions are computed, where there is a choice
 */
public record BackendOptions(DType dtype, int threads, int deviceIndex, Winograd winograd) {

  public BackendOptions {
    if (!dtype.isFloat()) {
      throw new IllegalArgumentException("dtype must be F32, F16 or BF16, not " + dtype);
    }
    if (threads < 0 || deviceIndex < 0) {
      throw new IllegalArgumentException("threads and deviceIndex must not be negative");
    }
  }

  /** With {@link Winograd#AUTO}. */
  public BackendOptions(DType dtype, int threads, int deviceIndex) {
    this(dtype, threads, deviceIndex, Winograd.AUTO);
  }

  /** float32, default threads, first device. */
  public static BackendOptions defaults() {
    return new BackendOptions(DType.F32, 0, 0);
  }
}
