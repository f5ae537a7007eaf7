package io.github.distrifuser.progress;

import java.time.Duration;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** A progress bar on standard error; silent where that is no terminal. */
public final class ProgressReporter implements AutoCloseable {
  private final @Nullable ProgressBar bar;

  private ProgressReporter(@Nullable ProgressBar bar) {
    this.bar = bar;
  }

  /**
   * diffusers' progress bar configuration.
   *
   * @param disable never show it
   * @param desc what stands before it; empty for the caller's own word
   */
  public record Config(boolean disable, String desc) {
    /** Shown where there is a terminal. */
    public static Config defaults() {
      return new Config(false, "");
    }

    /** diffusers' {@code set_progress_bar_config(disable=...)}. */
    public static Config disable(boolean disable) {
      return new Config(disable, "");
    }
  }

  /** Starts a bar of so many steps. */
  public static ProgressReporter start(Config config, String word, int steps) {
    if (config.disable() || !isTerminal()) {
      return new ProgressReporter(null);
    }
    String desc = config.desc().isEmpty() ? word : config.desc();
    return new ProgressReporter(
        new ProgressBarBuilder()
            .setTaskName(desc)
            .setInitialMax(steps)
            .setStyle(ProgressBarStyle.UNICODE_BLOCK)
            .showSpeed()
            .setUpdateIntervalMillis((int) Duration.ofMillis(200).toMillis())
            .build());
  }

  /** Whether a person may be watching standard error. */
  private static boolean isTerminal() {
    return System.console() != null && System.getenv("TERM") != null;
  }

  /** One step is done. */
  public void step() {
    if (bar != null) {
      bar.step();
    }
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
    }
  }
}
