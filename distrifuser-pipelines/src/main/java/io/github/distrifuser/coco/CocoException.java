package io.github.distrifuser.coco;

/** A captions or data file cannot be read; the message names it. */
public final class CocoException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** A message that names the file. */
  public CocoException(String message) {
    super(message);
  }

  /** A message that names the file, and what led to it. */
  public CocoException(String message, Throwable cause) {
    super(message, cause);
  }
}
