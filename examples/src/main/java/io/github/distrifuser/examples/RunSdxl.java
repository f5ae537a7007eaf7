package io.github.distrifuser.examples;

import io.github.distrifuser.launch.RunCommand;

/**
 * {@code run_sdxl}: the original's {@code scripts/run_sdxl.py}. {@code --help} lists the options.
 */
public final class RunSdxl {
  private RunSdxl() {}

  public static void main(String[] args) {
    System.exit(RunCommand.run("run_sdxl", args));
  }
}
