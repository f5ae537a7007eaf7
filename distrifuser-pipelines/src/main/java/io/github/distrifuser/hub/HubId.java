package io.github.distrifuser.hub;

import java.util.regex.Pattern;

/**
 * A model of the hub.
 *
 * @param repo {@code org/name}
 * @param revision a branch, a tag, {@code refs/pr/1}, or a commit
 */
public record HubId(String repo, String revision) {
  /** The branch that is meant where none is named. */
  public static final String MAIN = "main";

  private static final Pattern REPO =
      Pattern.compile("[A-Za-z0-9_][\\w.-]{0,95}/[A-Za-z0-9_][\\w.-]{0,95}");
  private static final Pattern REVISION = Pattern.compile("[\\w+-][\\w.+/=-]{0,199}");
  private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");

  public HubId {
    if (!isRepo(repo)) {
      throw new IllegalArgumentException(
          "'" + repo + "' is no model of the hub: it has the form org/name");
    }
    if (!REVISION.matcher(revision).matches()
        || revision.contains("..")
        || revision.contains("//")
        || revision.endsWith("/")) {
      throw new IllegalArgumentException(
          "revision '" + revision + "' of " + repo + " is no name of a branch, a tag or a commit");
    }
  }

  /** Whether a name has the form {@code org/name} or {@code org/name@revision}. */
  public static boolean looksLikeOne(String name) {
    int at = name.indexOf('@');
    return isRepo(at < 0 ? name : name.substring(0, at));
  }

  /**
   * Reads {@code org/name} or {@code org/name@revision}.
   *
   * @throws IllegalArgumentException where it is neither
   */
  public static HubId parse(String name) {
    int at = name.indexOf('@');
    return at < 0
        ? new HubId(name, MAIN)
        : new HubId(name.substring(0, at), name.substring(at + 1));
  }

  private static boolean isRepo(String s) {
    return REPO.matcher(s).matches()
        && !s.contains("--")
        && !s.contains("..")
        && !s.endsWith(".")
        && !s.endsWith("-")
        && !s.endsWith(".git");
  }

  /** Whether the revision is a commit itself. */
  public boolean isCommit() {
    return isCommit(revision);
  }

  static boolean isCommit(String s) {
    return COMMIT.matcher(s).matches();
  }

  /** {@code org/name@revision}, without the revision where it is {@code main}. */
  @Override
  public String toString() {
    return revision.equals(MAIN) ? repo : repo + "@" + revision;
  }
}
