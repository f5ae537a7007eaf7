package io.github.distrifuser.backend.reference;

import io.github.distrifuser.backend.Backend;
import io.github.distrifuser.backend.BackendOptions;
import io.github.distrifuser.backend.OperatorSuite;

/**
 * The suite on the reference backend itself: torch's values are the oracle of its arithmetic; the
 * comparisons with itself are between gapped and dense, in place and elsewhere.
 */
class ReferenceOperatorTest extends OperatorSuite {
  @Override
  public Backend open() {
    return new ReferenceBackend(BackendOptions.defaults());
  }
}
