package io.github.distrifuser.weights;

import org.jspecify.annotations.Nullable;

/**
 * Weights or a model's configuration that cannot be used as they are. The message is one line that
 * names the file, the tensor or key where there is one, what was expected and what was found.
 */
public final class WeightsException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private static final int LONGEST = 2000;

  /** An error of a whole file: {@code source: problem}. */
  public WeightsException(String source, String problem) {
    super(oneLine(source + ": " + problem));
  }

  /** An error of a whole file that something else caused. */
  public WeightsException(String source, String problem, @Nullable Throwable cause) {
    super(oneLine(source + ": " + problem), cause);
  }

  /** An error of one tensor or key: {@code source: item: problem}. */
  public WeightsException(String source, String item, String problem) {
    super(oneLine(source + ": " + shorten(item) + ": " + problem));
  }

  /** Names come from files that nobody has vouched for: keep them printable and short. */
  static String shorten(String item) {
    return item.length() <= 200 ? item : item.substring(0, 197) + "...";
  }

  private static String oneLine(String s) {
    StringBuilder b = new StringBuilder(Math.min(s.length(), LONGEST));
    s.codePoints()
        .limit(LONGEST)
        .forEach(c -> b.appendCodePoint(Character.isISOControl(c) ? '?' : c));
    return b.toString();
  }
}
