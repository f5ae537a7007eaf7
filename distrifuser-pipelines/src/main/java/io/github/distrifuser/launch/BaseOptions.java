package io.github.distrifuser.launch;

import picocli.CommandLine.Option;

/** The options of every main. */
abstract class BaseOptions implements ToolOptions {
  private static final int LAST = 1000;

  @Option(names = "--verbose", order = LAST, description = "print the stack trace of an error")
  boolean verbose;

  @Option(
      names = {"-h", "--help"},
      order = LAST,
      usageHelp = true,
      description = "print this")
  boolean help;

  @Override
  public final boolean verbose() {
    return verbose;
  }

  /**
   * Holds an option to a condition.
   *
   * @throws IllegalArgumentException with the message where it does not hold
   */
  static void require(boolean holds, String message) {
    if (!holds) {
      throw new IllegalArgumentException(message);
    }
  }
}
