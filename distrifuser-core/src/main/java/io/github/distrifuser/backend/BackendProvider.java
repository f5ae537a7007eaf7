package io.github.distrifuser.backend;

import io.github.distrifuser.tensor.DType;
import org.jspecify.annotations.Nullable;

/** Service interface through which backends are found; see {@link Backends}. */
public interface BackendProvider {

  /** Short name: {@code onednn}, {@code cuda}, {@code reference}. */
  String name();

  /** Kind of device that it drives: {@code cpu} or {@code cuda}. */
  String deviceKind();

  /** The provider with the highest priority that is available wins; the reference has 0. */
  int priority();

  /**
   * Null where this backend can be used here; else one line that says why not, naming the library
   * or device that is missing. Loads native code at most once; never throws.
   */
  @Nullable String unavailableReason();

  /** Number of devices here. */
  int deviceCount();

  /**
   * The type in which this device computes where one is asked for: that type, or a wider one where
   * it would be slow or impossible here. {@link #create} accepts what this returns.
   */
  default DType computeType(DType wanted) {
    return wanted;
  }

  /**
   * A new backend for one rank.
   *
   * @throws IllegalArgumentException where the options ask for what it cannot do
   */
  Backend create(BackendOptions options);
}
