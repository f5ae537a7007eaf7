package io.github.distrifuser.comm;

/** A peer failed, a deadline passed, or ranks disagree; the message names the rank. */
public class CommException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int rank;

  /**
   * @param rank the rank at fault, or -1 where it is not known
   */
  public CommException(int rank, String message) {
    super(message);
    this.rank = rank;
  }

  public CommException(int rank, String message, Throwable cause) {
    super(message, cause);
    this.rank = rank;
  }

  /** The rank at fault (in the whole world), or -1 where it is not known. */
  public int rank() {
    return rank;
  }
}
