package io.github.distrifuser.selftest;

import org.jspecify.annotations.Nullable;

/**
 * How a case ended.
 *
 * @param id unique in its section
 * @param name section and case, for people
 * @param expected what a case that failed expected, as far as its message says it
 * @param found what it found instead
 * @param message all that a case that failed says, or why it was left out; null where it passed
 */
record CaseResult(
    String id,
    String name,
    Status status,
    @Nullable String expected,
    @Nullable String found,
    @Nullable String message) {
  /** How cases end. */
  enum Status {
    PASSED,
    FAILED,
    SKIPPED
  }
}
