package io.github.distrifuser.examples;

import io.github.distrifuser.launch.RunCommand;

/** {@code run_sd}: the original's {@code scripts/run_sd.py}. {@code --help} lists the options. */
public final class RunSd {
  private RunSd() {}

  public static void main(String[] args) {
    System.exit(RunCommand.run("run_sd", args));
  }
}
