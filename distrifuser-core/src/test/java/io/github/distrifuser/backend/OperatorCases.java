package io.github.distrifuser.backend;

/** What a group of cases stands on. */
public interface OperatorCases {
  /** The backends of the current test. */
  OperatorRig rig();

  /** One more backend under test; the caller closes it. */
  Backend open();
}
