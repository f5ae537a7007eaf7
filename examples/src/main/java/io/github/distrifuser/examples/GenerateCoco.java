package io.github.distrifuser.examples;

import io.github.distrifuser.launch.GenerateCocoCommand;

/**
 * {@code generate_coco}: the original's {@code scripts/generate_coco.py}. {@code --help} lists the
 * options.
 */
public final class GenerateCoco {
  private GenerateCoco() {}

  public static void main(String[] args) {
    System.exit(GenerateCocoCommand.run(args));
  }
}
