package io.github.distrifuser.launch;

/** What every main's options have. */
interface ToolOptions {

  /** Whether an error is printed with its stack trace. */
  boolean verbose();

  /**
   * Checks what the parser cannot.
   *
   * @throws IllegalArgumentException naming the option that is wrong
   */
  void check();
}
