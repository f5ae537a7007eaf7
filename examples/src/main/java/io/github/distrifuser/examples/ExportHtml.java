package io.github.distrifuser.examples;

import io.github.distrifuser.launch.ExportHtmlCommand;

/**
 * {@code export_html}: the original's {@code scripts/export_html.py}. {@code --help} lists the
 * options.
 */
public final class ExportHtml {
  private ExportHtml() {}

  public static void main(String[] args) {
    System.exit(ExportHtmlCommand.run(args));
  }
}
