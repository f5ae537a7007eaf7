package io.github.distrifuser.examples;

import io.github.distrifuser.launch.PlanCommand;

/**
 * {@code plan}: what a generation would take on devices that need not be there. {@code --help}
 * lists the options.
 */
public final class Plan {
  private Plan() {}

  public static void main(String[] args) {
    System.exit(PlanCommand.run("plan", args));
  }
}
