package io.github.distrifuser.launch;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The options of profile_macs. */
@Command(sortOptions = false, mixinStandardHelpOptions = false)
final class MacsOptions extends WorkloadOptions {
  private static final int MOST_RANKS = 64;

  @Option(names = "--ranks", description = "ranks that share the work (${DEFAULT-VALUE})")
  int ranks = 1;

  @Option(names = "--report", description = "JSON of what is printed")
  @Nullable Path report;

  @Override
  public void check() {
    super.check();
    require(
        ranks >= 1 && ranks <= MOST_RANKS,
        "--ranks must be from 1 to " + MOST_RANKS + ", found " + ranks);
  }
}
