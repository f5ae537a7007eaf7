package io.github.distrifuser.parallel;

/** How the work of one image is divided. */
public enum Parallelism {
  /** Displaced patches: DistriFusion. */
  PATCH("patch"),
  /** Layers split by channel, sums reduced in every layer. */
  TENSOR("tensor"),
  /** Patches computed in isolation; seams show. */
  NAIVE_PATCH("naive_patch");

  private final String optionName;

  Parallelism(String optionName) {
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
  public static Parallelism of(String name) {
    for (Parallelism v : values()) {
      if (v.optionName.equals(name)) {
        return v;
      }
    }
    throw new IllegalArgumentException(
        "unknown parallelism '" + name + "': choose from patch, tensor, naive_patch");
  }
}
