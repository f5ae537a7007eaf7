package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudart.cuGetErrorString;
import static org.bytedeco.cuda.global.cudart.cudaGetErrorName;
import static org.bytedeco.cuda.global.cudart.cudaGetErrorString;
import static org.bytedeco.cuda.global.cudart.cudaGetLastError;
import static org.bytedeco.cuda.global.cudnn.cudnnGetErrorString;
import static org.bytedeco.cuda.global.cudnn.cudnnGetLastErrorString;

import java.nio.charset.StandardCharsets;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerPointer;

/** Turns statuses of the four libraries into exceptions. */
public final class CudaErrors {
  private static final int TEXT = 4096;

  private CudaErrors() {}

  /** Of the runtime. */
  public static void check(int status, String call) {
    if (status != 0) {
      throw new CudaException("CUDA: " + call + " failed: " + describe(status));
    }
  }

  /** Name and text of a status of the runtime; clears the runtime's note of it. */
  static String describe(int status) {
    cudaGetLastError();
    return text(cudaGetErrorName(status)) + " (" + text(cudaGetErrorString(status)) + ")";
  }

  /** Of the driver. */
  static void checkDriver(int status, String call) {
    if (status != 0) {
      throw new CudaException("CUDA: " + call + " failed: " + driverText(status));
    }
  }

  private static String driverText(int status) {
    try (PointerPointer<BytePointer> p = new PointerPointer<>(1)) {
      return cuGetErrorString(status, p) == 0
          ? p.get(BytePointer.class, 0).getString()
          : "error " + status;
    }
  }

  /** Of cuBLASLt. */
  static void checkBlas(int status, String call) {
    if (status != 0) {
      throw new CudaException("cuBLASLt: " + call + " failed: " + blasText(status));
    }
  }

  private static String blasText(int status) {
    return switch (status) {
      case 1 -> "not initialised";
      case 3 -> "allocation failed";
      case 7 -> "invalid value";
      case 8 -> "not possible on this GPU";
      case 13 -> "execution failed";
      case 14 -> "internal error";
      case 15 -> "not supported";
      default -> "status " + status;
    };
  }

  /** Of cuDNN. */
  static void checkDnn(int status, String call) {
    if (status != 0) {
      throw new CudaException("cuDNN: " + call + " failed: " + dnnText(status));
    }
  }

  /** Name of a status of cuDNN and the reason that it left; forgets the reason. */
  static String dnnText(int status) {
    String name = text(cudnnGetErrorString(status));
    String reason = dnnReason("");
    return reason.isEmpty() ? name : name + ": " + reason;
  }

  /** The reason that cuDNN left for what it did last, which it then forgets; or another text. */
  static String dnnReason(String otherwise) {
    byte[] b = new byte[TEXT];
    cudnnGetLastErrorString(b, b.length);
    int n = 0;
    while (n < b.length && b[n] != 0) {
      n++;
    }
    String reason = new String(b, 0, n, StandardCharsets.UTF_8).replace('\n', ' ').trim();
    return reason.isEmpty() ? otherwise : reason;
  }

  private static String text(BytePointer p) {
    return p == null || p.isNull() ? "unknown error" : p.getString();
  }
}
