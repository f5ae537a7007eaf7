package io.github.distrifuser.examples;

import io.github.distrifuser.launch.DumpCocoCommand;

/**
 * {@code dump_coco}: the original's {@code scripts/dump_coco.py}. {@code --help} lists the options.
 */
public final class DumpCoco {
  private DumpCoco() {}

  public static void main(String[] args) {
    System.exit(DumpCocoCommand.run(args));
  }
}
