package io.github.distrifuser.examples;

import io.github.distrifuser.launch.RunCommand;

/**
 * {@code sdxl_example}: the original's {@code scripts/sdxl_example.py}. {@code --help} lists the
 * options.
 */
public final class SdxlExample {
  private SdxlExample() {}

  public static void main(String[] args) {
    System.exit(RunCommand.runExample("sdxl_example", args));
  }
}
