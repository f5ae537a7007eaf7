package io.github.distrifuser.cuda.kernels;

/** A kernel's source that the compiler refuses, or a compiler that doesn't work. */
public final class KernelCompilationException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** The module, the architecture and the compiler's words. */
  public KernelCompilationException(String message) {
    super(message);
  }
}
