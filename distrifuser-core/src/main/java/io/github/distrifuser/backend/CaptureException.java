package io.github.distrifuser.backend;

/**
 * A step could not be captured. Nothing of it has run; running it without a capture gives what a
 * graph would have given.
 */
public final class CaptureException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public CaptureException(String message, Throwable cause) {
    super(message, cause);
  }
}
