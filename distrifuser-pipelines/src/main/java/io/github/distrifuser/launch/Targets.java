package io.github.distrifuser.launch;

import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Looks at what options name before minutes are spent. */
final class Targets {
  private Targets() {}

  /**
   * A file that will be written: its folder has to be there.
   *
   * @throws CommandLineTool.UsageException naming the option
   */
  static void file(String option, @Nullable Path file) {
    if (file == null) {
      return;
    }
    Path parent = file.toAbsolutePath().getParent();
    if (parent == null || Files.isDirectory(file)) {
      throw wrong(option + ": " + file + " is a folder");
    }
    if (!Files.isDirectory(parent)) {
      throw wrong(option + ": " + file + ": there is no folder " + parent);
    }
  }

  /**
   * A file that will be read.
   *
   * @throws CommandLineTool.UsageException naming the option
   */
  static void input(String option, Path file) {
    if (!Files.isRegularFile(file)) {
      throw wrong(option + ": " + file + ": no such file");
    }
  }

  /**
   * A folder that will be read.
   *
   * @throws CommandLineTool.UsageException naming the option
   */
  static void folder(String option, Path folder) {
    if (!Files.isDirectory(folder)) {
      throw wrong(option + ": " + folder + ": no such folder");
    }
  }

  private static CommandLineTool.UsageException wrong(String message) {
    return new CommandLineTool.UsageException(new IllegalArgumentException(message));
  }
}
