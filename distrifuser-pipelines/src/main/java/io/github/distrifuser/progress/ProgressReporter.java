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
  public static ProgressReporter start(Config config, String word, long steps) {
    return start(config, word, steps, "", 1);
  }

  /** Starts a bar of so many bytes; {@link #advance} from any thread. */
  public static ProgressReporter bytes(Config config, String word, long bytes) {
    return start(config, word, bytes, " MB", 1_000_000);
  }

  /** Shows nothing. */
  public static ProgressReporter none() {
    return new ProgressReporter(null);
  }

  private static ProgressReporter start(
      Config config, String word, long steps, String unit, long unitSize) {
    if (config.disable() || !Terminal.isWatched()) {
      return none();
    }
    String desc = config.desc().isEmpty() ? word : config.desc();
    return new ProgressReporter(
        new ProgressBarBuilder()
            .setTaskName(desc)
            .setInitialMax(steps)
            .setUnit(unit, unitSize)
            .setStyle(ProgressBarStyle.UNICODE_BLOCK)
            .showSpeed()
            .setUpdateIntervalMillis((int) Duration.ofMillis(200).toMillis())
            .build());
  }

  /** Whether there is a bar to see. */
  boolean isShown() {
    return bar != null;
  }

  /** One step is done. */
  public void step() {
    if (bar != null) {
      bar.step();
    }
  }

  /** So much more is done, or less where something has to be done again. */
  public void advance(long amount) {
    if (bar != null) {
      bar.stepBy(amount);
    }
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
    }
  }
}
