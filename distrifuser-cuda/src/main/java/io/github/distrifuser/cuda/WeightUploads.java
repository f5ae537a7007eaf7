package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudart.cudaErrorMemoryAllocation;
import static org.bytedeco.cuda.global.cudart.cudaGetLastError;
import static org.bytedeco.cuda.global.cudart.cudaMalloc;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.weights.WeightTensor;
import java.nio.ByteBuffer;

/**
 * Brings weights from mapped files to the device: bytes as they are through pinned memory; types
 * and layouts are changed there.
 */
final class WeightUploads {
  private static final int GRAIN = 256; // alignment of parts

  private final CudaContext context;

  WeightUploads(CudaContext context) {
    this.context = context;
  }

  int device() {
    return context.device();
  }

  /** Type that weights of products are kept in. */
  DType dtype() {
    return context.dtype();
  }

  CudaStream stream() {
    return context.upload();
  }

  /** Bytes rounded up, so that what follows is aligned. */
  static long aligned(long bytes) {
    return (bytes + GRAIN - 1) / GRAIN * GRAIN;
  }

  /** Memory that outlives the backend. */
  long allocate(long bytes, String name) {
    context.checkNotCapturing("weight " + name + " is prepared");
    try (Address p = new Address()) {
      int status = cudaMalloc(p, Math.max(bytes, 1));
      if (status == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        stream().synchronize(); // bytes on their way take memory, too
        context.memory().makeRoom();
        status = cudaMalloc(p, Math.max(bytes, 1));
        if (status == cudaErrorMemoryAllocation) {
          cudaGetLastError();
          throw new CudaOutOfMemoryException(
              DeviceMemory.outOfMemory(context.device(), bytes, "weight " + name));
        }
      }
      CudaErrors.check(status, "cudaMalloc of " + bytes + " bytes for weight " + name);
      return p.address();
    }
  }

  /** All elements in their order, as a type. */
  void put(WeightTensor source, DType dtype, long target) {
    if (source.dtype() == dtype) {
      send(source, target);
    } else {
      long n = source.shape().elements();
      convert(source, dtype, target, new long[] {1, 1, 1, 1, n}, new long[] {0, 0, 0, 0, 1});
    }
  }

  /** {@code [out, in, kh, kw]} as {@code [out, kh, kw, in]}. */
  void putChannelsLast(WeightTensor source, DType dtype, long target) {
    long out = source.shape().dim(0);
    long in = source.shape().dim(1);
    long kh = source.shape().dim(2);
    long kw = source.shape().dim(3);
    if (kh * kw == 1) {
      put(source, dtype, target);
      return;
    }
    convert(
        source,
        dtype,
        target,
        new long[] {1, out, kh, kw, in},
        new long[] {0, in * kh * kw, kw, 1, kh * kw});
  }

  private void send(WeightTensor source, long target) {
    ByteBuffer data = source.data();
    context
        .staging()
        .send(
            data.remaining(),
            (from, to) -> to.put(data.slice((int) from, to.remaining())),
            target,
            stream());
  }

  /** Sends the bytes and rearranges them on the device. */
  private void convert(WeightTensor source, DType dtype, long target, long[] dims, long[] strides) {
    long bytes = source.data().remaining();
    if (bytes == 0) {
      return;
    }
    long raw = context.memory().borrow(bytes, stream(), "the upload of weight " + source.name());
    try {
      send(source, raw);
      long[] dense = new long[5];
      long n = 1;
      for (int i = 4; i >= 0; i--) {
        dense[i] = n;
        n *= dims[i];
      }
      context
          .kernel("copyStrided", dtype)
          .pointer(raw)
          .i32(source.dtype().ordinal())
          .pointer(target)
          .i64(dims)
          .i64(strides)
          .i64(dense)
          .elements(stream(), n);
    } finally {
      context.memory().giveBack(raw, stream());
    }
  }
}
