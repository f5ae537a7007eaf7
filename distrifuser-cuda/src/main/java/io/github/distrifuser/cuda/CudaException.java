package io.github.distrifuser.cuda;

/** A call of CUDA's libraries failed. The message names the call, the cause and the device. */
public class CudaException extends IllegalStateException {
  private static final long serialVersionUID = 1;

  CudaException(String message) {
    super(message);
  }
}
