package io.github.distrifuser.hub;

import org.jspecify.annotations.Nullable;

/**
 * A model of the hub that cannot be had. The message is one line that names the repository, and the
 * file where there is one, and says what to do.
 */
public final class HubException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** What kind of thing is wrong. */
  public enum Reason {
    /** There is no such repository, or it is private and the token may not see it. */
    REPO_NOT_FOUND,
    /** The repository's conditions are not accepted, or no token says by whom. */
    GATED_REPO,
    /** The repository has no such branch, tag or commit. */
    REVISION_NOT_FOUND,
    /** The revision has no such file. */
    ENTRY_NOT_FOUND,
    /** The token is no token of the hub. */
    BAD_TOKEN,
    /** The hub asks to come back later. */
    RATE_LIMITED,
    /** The hub cannot be reached, or breaks off again and again. */
    UNREACHABLE,
    /** The hub answers what it should not. */
    BAD_ANSWER,
    /** What arrived is not what the hub says it is. */
    CORRUPT,
    /** The hub may not be asked, and the cache lacks something. */
    NOT_CACHED,
    /** The model's files are of a kind that is not read. */
    UNSUPPORTED,
    /** The cache cannot be written. */
    CACHE
  }

  private final Reason reason;

  /** An error without another behind it. */
  public HubException(Reason reason, String message) {
    this(reason, message, null);
  }

  /**
   * An error.
   *
   * @param message names the model, and the file where one is meant
   */
  public HubException(Reason reason, String message, @Nullable Throwable cause) {
    super(message, cause);
    this.reason = reason;
  }

  /** What kind of error it is. */
  public Reason reason() {
    return reason;
  }
}
