package io.github.distrifuser.parallel;

/** Which way naive patches cut the image. */
public enum SplitScheme {
  /** Horizontal stripes. */
  ROW("row"),
  /** Vertical stripes. */
  COL("col"),
  /** Horizontal on even steps, vertical on odd ones. */
  ALTERNATE("alternate");

  private final String optionName;

  SplitScheme(String optionName) {
    this.optionName = optionName;
  }

  /** The name that the original and the command line use. */
  public String optionName() {
    return optionName;
  }

  /**
   * Parses the original's name.
   *
   * @throws IllegalArgumentException for any other, listing the choices
   */
  public static SplitScheme of(String name) {
    for (SplitScheme v : values()) {
      if (v.optionName.equals(name)) {
        return v;
      }
    }
    throw new IllegalArgumentException(
        "unknown split_scheme '" + name + "': choose from row, col, alternate");
  }
}
