package io.github.distrifuser.cuda;

/**
 * A GPU's memory did not suffice. The message says how much was needed, for what, and what was
 * free. The backend stays usable.
 */
public final class CudaOutOfMemoryException extends CudaException {
  private static final long serialVersionUID = 1;

  CudaOutOfMemoryException(String message) {
    super(message);
  }
}
