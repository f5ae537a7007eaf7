package io.github.distrifuser.examples;

import io.github.distrifuser.launch.RunCommand;

/**
 * {@code sd_example}: the original's {@code scripts/sd_example.py}. {@code --help} lists the
 * options.
 */
public final class SdExample {
  private SdExample() {}

  public static void main(String[] args) {
    System.exit(RunCommand.runExample("sd_example", args));
  }
}
