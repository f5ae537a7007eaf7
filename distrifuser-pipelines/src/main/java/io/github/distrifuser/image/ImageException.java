package io.github.distrifuser.image;

import java.nio.file.Path;

/** A picture's file cannot be read, or holds what is not treated; the message names the file. */
public final class ImageException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** "file: reason". */
  public ImageException(Path file, String reason) {
    super(file + ": " + reason);
  }

  /** "file: reason", with what led to it. */
  public ImageException(Path file, String reason, Throwable cause) {
    super(file + ": " + reason, cause);
  }
}
