package io.github.distrifuser.progress;

import java.io.PrintStream;
import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * Progress of work that takes hours: a bar where a person watches, else now and then a line on
 * standard error that says how much is done and how long the rest will take.
 */
public final class ProgressLog implements AutoCloseable {
  private static final long LINE_NANOS = 30_000_000_000L;

  private final ProgressReporter bar;
  private final String what;
  private final long total;
  private final PrintStream out;
  private final LongSupplier nanoTime;
  private final long begin;
  private long lastLine;
  private long done;

  private ProgressLog(
      ProgressReporter bar, String what, long total, PrintStream out, LongSupplier nanoTime) {
    this.bar = bar;
    this.what = what;
    this.total = total;
    this.out = out;
    this.nanoTime = nanoTime;
    this.begin = nanoTime.getAsLong();
    this.lastLine = begin;
  }

  /**
   * Starts.
   *
   * @param what the things that are counted, such as "images"
   */
  public static ProgressLog start(String what, long total) {
    ProgressReporter bar = ProgressReporter.start(ProgressReporter.Config.defaults(), what, total);
    return new ProgressLog(bar, what, total, System.err, System::nanoTime);
  }

  /** With lines only, by another clock. */
  static ProgressLog lines(String what, long total, PrintStream out, LongSupplier nanoTime) {
    return new ProgressLog(ProgressReporter.none(), what, total, out, nanoTime);
  }

  /** One more is done. */
  public void step() {
    done++;
    bar.step();
    long now = nanoTime.getAsLong();
    if (bar.isShown() || now - lastLine < LINE_NANOS) {
      return;
    }
    lastLine = now;
    double left = (now - begin) * 1e-9 / done * (total - done);
    out.printf(Locale.ROOT, "%d of %d %s, %s left%n", done, total, what, duration(left));
  }

  /** {@code 2 h 05 min}, {@code 5 min 09 s} or {@code 7 s}. */
  static String duration(double seconds) {
    long s = Math.round(seconds);
    if (s < 60) {
      return s + " s";
    }
    return s < 3600
        ? String.format(Locale.ROOT, "%d min %02d s", s / 60, s % 60)
        : String.format(Locale.ROOT, "%d h %02d min", s / 3600, s % 3600 / 60);
  }

  @Override
  public void close() {
    bar.close();
  }
}
