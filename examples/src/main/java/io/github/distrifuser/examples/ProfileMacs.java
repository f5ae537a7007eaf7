package io.github.distrifuser.examples;

import io.github.distrifuser.launch.MacsCommand;

/**
 * {@code profile_macs}: multiply-accumulates of a UNet by size, kind of layer and rank. {@code
 * --help} lists the options.
 */
public final class ProfileMacs {
  private ProfileMacs() {}

  public static void main(String[] args) {
    System.exit(MacsCommand.run("profile_macs", args));
  }
}
