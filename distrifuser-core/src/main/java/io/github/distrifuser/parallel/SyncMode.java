package io.github.distrifuser.parallel;

/** What is exchanged after the warm-up steps, and how fresh it is. */
public enum SyncMode {
  /** Stale moments of all patches, corrected by the change of the own ones. */
  CORRECTED_ASYNC_GN("corrected_async_gn"),
  /** Stale moments of the other patches, fresh ones of the own. */
  STALE_GN("stale_gn"),
  /** Moments are exchanged in every step; convolutions and attention stay stale. */
  SYNC_GN("sync_gn"),
  /** Moments of the own patch alone. */
  SEPARATE_GN("separate_gn"),
  /** Everything is exchanged fresh in every step: equals one device. */
  FULL_SYNC("full_sync"),
  /** Nothing is exchanged after warm-up. */
  NO_SYNC("no_sync");

  private final String optionName;

  SyncMode(String optionName) {
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
  public static SyncMode of(String name) {
    for (SyncMode v : values()) {
      if (v.optionName.equals(name)) {
        return v;
      }
    }
    throw new IllegalArgumentException(
        "unknown sync_mode '"
            + name
            + "': choose from corrected_async_gn, stale_gn, sync_gn, separate_gn, full_sync, no_sync");
  }
}
